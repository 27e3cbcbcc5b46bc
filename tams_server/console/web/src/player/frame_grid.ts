// Where frames begin. They are counted from the start of their segment, because segments need not meet on one grid.
import { frameLength, frameNumber, frameStart, type FrameRate } from "../timeline/clock";
import type { Range } from "../timeline/view";

const ROUNDING = 1_000n; // nanoseconds by which times may have been rounded when they were written

/** The start of the frame that a moment of a segment belongs to. The end of the segment belongs to its last frame. */
export function frameOf(moment: bigint, segment: Range, rate: FrameRate): bigint {
  const inside = moment >= segment.end ? segment.end - 1n : moment < segment.start ? segment.start : moment;
  const number = frameNumber(inside, segment.start, rate);
  const start = frameStart(number, segment.start, rate);
  return number > 0n && start >= segment.end - ROUNDING ? frameStart(number - 1n, segment.start, rate) : start;
}

/** The start of the frame of a flow at a moment. segments: those that are known, in order. */
export function alignedMoment(moment: bigint, segments: readonly Range[], content: Range, rate: FrameRate | null): bigint {
  const inside = moment < content.start ? content.start : moment >= content.end ? content.end - 1n : moment;
  if (!rate) return inside;
  const segment = segments.find((each) => each.start <= inside && inside < each.end);
  if (segment) return frameOf(inside, segment, rate);
  return segments.length > 0 ? inside : frameOf(inside, content, rate);
}

/** The start of the frame so many frames after the one that begins at `from`. */
export function steppedMoment(
  from: bigint, frames: number, segments: readonly Range[], content: Range, rate: FrameRate | null,
): bigint {
  const length = rate ? frameLength(rate) : STEP_NS;
  // The middle of a frame is in that frame, however its edges are rounded.
  const middle = rate ? length / 2 : 0;
  return alignedMoment(from + BigInt(Math.round(frames * length + middle)), segments, content, rate);
}

/** Where the frame that begins at a moment ends; the moment itself in a flow without a frame rate. */
export function frameEnd(moment: bigint, segments: readonly Range[], content: Range, rate: FrameRate | null): bigint {
  if (!rate) return moment;
  const segment = segments.find((each) => each.start <= moment && moment < each.end) ?? content;
  const end = frameStart(frameNumber(moment, segment.start, rate) + 1n, segment.start, rate);
  return end >= segment.end - ROUNDING ? segment.end : end;
}

/** A step in a flow without a frame rate, in nanoseconds. */
export const STEP_NS = 40e6;
