// Draws a timeline on a canvas: ruler, segments or buckets, gaps, key frames, in and out points, the playhead.
import type { ClockMode, FrameRate } from "./clock";
import { frameLength, frameNumber, frameStart } from "./clock";
import type { Palette } from "./palette";
import type { Mark } from "./ruler";
import type { Segment } from "./segments";
import { bracket, diamond, hatch, vertical, type Context } from "./shapes";
import type { Bucket } from "./summaries";
import { placeOf, shown, type Range, type View } from "./view";

export const RULER = 26;
export const LANE_TOP = 34;
export const LANE = 58;
export const KEY_TOP = LANE_TOP + LANE + 6;
export const KEYS = 14;
export const HEIGHT = KEY_TOP + KEYS + 8;

export interface Picture {
  view: View;
  width: number;
  content: Range;
  marks: Mark[];
  tiles: { level: number; range: Range; buckets: Bucket[] }[];
  segments: Segment[] | null; // all of those in view, if they are few
  selected: bigint | null; // where the selected segment starts
  position: bigint | null;
  hover: bigint | null;
  inPoint: bigint | null;
  outPoint: bigint | null;
  rate: FrameRate | null;
  anchor: bigint;
  mode: ClockMode;
}

export function paint(context: Context, picture: Picture, colours: Palette): void {
  const { width, view, content } = picture;
  context.clearRect(0, 0, width, HEIGHT);
  context.font = colours.font;
  context.textBaseline = "middle";
  paintRuler(context, picture, colours);
  paintLane(context, picture, colours);
  if (picture.segments) {
    paintGround(context, picture, content, colours);
    paintSegments(context, picture, picture.segments, colours);
  } else {
    for (const tile of picture.tiles) {
      paintGround(context, picture, tile.range, colours);
      paintBuckets(context, picture, tile, colours);
    }
  }
  paintPoints(context, picture, colours);
  if (picture.hover !== null) vertical(context, placeOf(view, picture.hover), LANE_TOP - 4, HEIGHT, colours.muted, 1);
  if (picture.position !== null) paintPlayhead(context, placeOf(view, picture.position), colours);
}

function paintRuler(context: Context, picture: Picture, colours: Palette): void {
  context.strokeStyle = colours.strong;
  context.fillStyle = colours.muted;
  context.lineWidth = 1;
  context.beginPath();
  for (const { x, label } of picture.marks) {
    const place = Math.round(x) + 0.5;
    context.moveTo(place, label === null ? RULER - 5 : RULER - 10);
    context.lineTo(place, RULER);
    const right = label === null ? 0 : place + 4 + context.measureText(label).width;
    if (label !== null && place > -2 && right <= picture.width) context.fillText(label, place + 4, 9);
  }
  context.globalAlpha = 0.6;
  context.stroke();
  context.globalAlpha = 1;
}

/** The lane as it is where nothing is known. */
function paintLane(context: Context, picture: Picture, colours: Palette): void {
  context.fillStyle = colours.lane;
  context.fillRect(0, LANE_TOP, picture.width, LANE);
  context.fillRect(0, KEY_TOP, picture.width, KEYS);
  paintLines(context, picture, 0, picture.width, KEY_TOP + KEYS, colours);
}

/** The ground on which gaps show, within the content and a range that has been read. */
function paintGround(context: Context, picture: Picture, read: Range, colours: Palette): void {
  const { view, width, content } = picture;
  const start = read.start > content.start ? read.start : content.start;
  const end = read.end < content.end ? read.end : content.end;
  const [left, right] = [Math.max(0, placeOf(view, start)), Math.min(width, placeOf(view, end))];
  if (right <= left) return;
  context.fillStyle = colours.lane; // hides what was drawn of coarser tiles
  context.fillRect(left, LANE_TOP, right - left, LANE);
  hatch(context, left, LANE_TOP, right - left, LANE, colours.gap);
  paintLines(context, picture, left, right, LANE_TOP + LANE, colours);
}

/** The lines of the marks that have labels, from the top of the lane. */
function paintLines(
  context: Context, { marks }: Picture, left: number, right: number, bottom: number, colours: Palette,
): void {
  context.strokeStyle = colours.line;
  context.beginPath();
  for (const { x, label } of marks) {
    if (label === null || x < left || x > right) continue;
    context.moveTo(Math.round(x) + 0.5, LANE_TOP);
    context.lineTo(Math.round(x) + 0.5, bottom);
  }
  context.stroke();
}

function paintBuckets(
  context: Context, picture: Picture, tile: { level: number; range: Range; buckets: Bucket[] }, colours: Palette,
): void {
  const { view, width, content } = picture;
  const length = 2 ** tile.level;
  const size = length / view.scale;
  for (const bucket of tile.buckets) {
    const left = placeOf(view, bucket.start);
    const right = left + size;
    if (right < 0 || left > width || bucket.covered === 0) continue;
    const first = Math.max(left, placeOf(view, content.start));
    const last = Math.min(right, placeOf(view, content.end));
    const share = Math.min(1, bucket.covered / ((last - first) * view.scale || 1));
    // Whole pixels, so that there are no seams.
    const from = Math.round(first);
    const wide = Math.max(1, Math.round(last) - from);
    context.fillStyle = colours.background; // hides the ground
    context.fillRect(from, LANE_TOP, wide, LANE);
    context.globalAlpha = bucket.gap ? 0.35 + 0.45 * share : 0.85;
    fillShares(context, bucket, from, wide, colours);
    context.globalAlpha = 1;
    if (bucket.gap) {
      context.fillStyle = colours.gap;
      context.fillRect(from, LANE_TOP + LANE - Math.max(4, LANE * (1 - share)), wide, Math.max(4, LANE * (1 - share)));
    }
    if (bucket.keyFrames) {
      const estimate = (bucket.keyFrames * bucket.segments) / Math.max(1, bucket.sampled);
      context.fillStyle = colours.key;
      context.globalAlpha = Math.min(1, 0.3 + (0.7 * estimate) / Math.max(1, wide));
      context.fillRect(from, KEY_TOP + 3, Math.max(1, wide - (wide > 4 ? 1 : 0)), KEYS - 6);
      context.globalAlpha = 1;
    }
  }
}

/** The colours of a bucket from top to bottom: how many of its sample are reused, and how many are parts. */
function fillShares(context: Context, bucket: Bucket, x: number, width: number, colours: Palette): void {
  context.fillStyle = colours.segment;
  context.fillRect(x, LANE_TOP, width, LANE);
  if (bucket.sampled === 0) return;
  const reused = (LANE * bucket.reused) / bucket.sampled;
  context.fillStyle = colours.reused;
  context.fillRect(x, LANE_TOP, width, reused);
  context.fillStyle = colours.partial;
  context.fillRect(x, LANE_TOP, width, Math.min(8, (LANE * bucket.partial) / bucket.sampled));
}

function paintSegments(context: Context, picture: Picture, segments: Segment[], colours: Palette): void {
  const { view, width, tiles, rate, anchor } = picture;
  const buckets = tiles.flatMap((tile) => tile.buckets.map((bucket) => ({ ...bucket, level: tile.level })));
  for (const segment of segments) {
    const left = placeOf(view, segment.start);
    const right = placeOf(view, segment.end);
    if (right < 0 || left > width) continue;
    const from = Math.max(left, -4);
    const wide = Math.max(1, Math.min(right, width + 4) - from);
    const gapAfter = wide > 6 ? 1 : 0;
    context.fillStyle = colours.background;
    context.fillRect(from, LANE_TOP, wide, LANE);
    const reused = buckets.some(
      (bucket) => bucket.start <= segment.start && segment.start < bucket.start + (1n << BigInt(bucket.level))
        && bucket.segments > 0 && bucket.reused > 0 && bucket.reused === bucket.sampled,
    );
    context.globalAlpha = 0.85;
    context.fillStyle = reused ? colours.reused : colours.segment;
    context.fillRect(from, LANE_TOP, wide - gapAfter, LANE);
    context.globalAlpha = 1;
    if (segment.partial) {
      context.fillStyle = colours.partial;
      context.fillRect(from, LANE_TOP, wide - gapAfter, 5);
    }
    if (picture.selected === segment.start) {
      context.strokeStyle = colours.text;
      context.lineWidth = 2;
      context.strokeRect(from + 1, LANE_TOP + 1, wide - gapAfter - 2, LANE - 2);
      context.lineWidth = 1;
    }
    if (wide > 80) segmentText(context, segment, Math.max(from, 0) + 8, wide - 16, colours);
    if (segment.document.key_frame_count) {
      context.fillStyle = colours.key;
      diamond(context, Math.max(left, 4), KEY_TOP + KEYS / 2, 4);
      if (wide > 40 && segment.document.key_frame_count > 1) {
        context.fillText(`×${segment.document.key_frame_count}`, Math.max(left, 4) + 8, KEY_TOP + KEYS / 2 + 1);
      }
    }
  }
  if (rate && frameLength(rate) / view.scale > 5) paintFrames(context, picture, rate, anchor, colours);
}

function segmentText(context: Context, segment: Segment, x: number, width: number, colours: Palette): void {
  context.save();
  context.beginPath();
  context.rect(x, LANE_TOP, width, LANE);
  context.clip();
  context.fillStyle = "#ffffff";
  context.fillText(segment.document.object_id, x, LANE_TOP + LANE / 2);
  context.restore();
  context.fillStyle = colours.text;
}

function paintFrames(context: Context, { view, width }: Picture, rate: FrameRate, anchor: bigint, colours: Palette): void {
  let number = frameNumber(shown(view, width).start, anchor, rate);
  context.strokeStyle = colours.background;
  context.globalAlpha = 0.7;
  context.beginPath();
  for (let count = 0; count < 2000; count += 1, number += 1n) {
    const x = Math.round(placeOf(view, frameStart(number, anchor, rate))) + 0.5;
    if (x > width) break;
    context.moveTo(x, LANE_TOP + LANE - 10);
    context.lineTo(x, LANE_TOP + LANE);
  }
  context.stroke();
  context.globalAlpha = 1;
}

function paintPoints(context: Context, { view, width, inPoint, outPoint }: Picture, colours: Palette): void {
  if (inPoint === null && outPoint === null) return;
  const left = inPoint === null ? 0 : placeOf(view, inPoint);
  const right = outPoint === null ? width : placeOf(view, outPoint);
  context.fillStyle = colours.point;
  context.globalAlpha = 0.16;
  context.fillRect(Math.max(0, left), RULER, Math.min(width, right) - Math.max(0, left), HEIGHT - RULER);
  context.globalAlpha = 1;
  if (inPoint !== null) bracket(context, left, 1, colours.point, RULER, HEIGHT);
  if (outPoint !== null) bracket(context, right, -1, colours.point, RULER, HEIGHT);
}

function paintPlayhead(context: Context, x: number, colours: Palette): void {
  vertical(context, x, RULER - 8, HEIGHT, colours.playhead, 2);
  context.fillStyle = colours.playhead;
  context.beginPath();
  context.moveTo(x - 6, RULER - 12);
  context.lineTo(x + 6, RULER - 12);
  context.lineTo(x + 6, RULER - 5);
  context.lineTo(x, RULER + 1);
  context.lineTo(x - 6, RULER - 5);
  context.fill();
}

