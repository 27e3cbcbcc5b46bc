// Which moment of the flow is at which time of the media element.
import type { Segment } from "../timeline/segments";

export interface Piece {
  media: number; // seconds
  start: bigint;
  end: bigint;
}

export interface Listed {
  start: number; // seconds, in the media element
  duration: number;
}

const CLOSE_S = 0.004;

/** Match what a playlist lists with the segments of its timerange; segments that it leaves out are passed over. */
export function matchPieces(listed: readonly Listed[], segments: readonly Segment[]): Piece[] {
  const pieces: Piece[] = [];
  let index = 0;
  for (const each of listed) {
    let found = index;
    while (found < segments.length && !fits(each, segments[found]!)) found += 1;
    // Nothing fits: take them in order.
    const segment = segments[found] ?? segments[index];
    if (!segment) break;
    index = (segments[found] ? found : index) + 1;
    pieces.push({ media: each.start, start: segment.start, end: segment.end });
  }
  return pieces;
}

function fits(listed: Listed, segment: Segment): boolean {
  return Math.abs(Number(segment.end - segment.start) / 1e9 - listed.duration) < CLOSE_S;
}

/** The time in the media element that shows a moment; in a gap, that of what comes next. Null if nothing does. */
export function mediaTimeOf(pieces: readonly Piece[], moment: bigint): number | null {
  for (const piece of pieces) {
    if (moment < piece.start) return piece.media;
    if (moment < piece.end) return piece.media + Number(moment - piece.start) / 1e9;
  }
  return null;
}

export function momentOf(pieces: readonly Piece[], media: number): bigint | null {
  let found: Piece | null = null;
  for (const piece of pieces) {
    if (piece.media > media + CLOSE_S) break;
    found = piece;
  }
  found ??= pieces[0] ?? null;
  return found && found.start + BigInt(Math.round((media - found.media) * 1e9));
}
