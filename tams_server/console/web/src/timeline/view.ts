// The part of a timeline that is shown: which moment is where. Times are nanoseconds as bigint, places are pixels.

export interface View {
  start: bigint; // at the left edge
  scale: number; // nanoseconds per pixel
}

export interface Range {
  start: bigint;
  end: bigint;
}

const MIN_SCALE = 1_000;

export function timeAt(view: View, x: number): bigint {
  return view.start + BigInt(Math.round(x * view.scale));
}

export function placeOf(view: View, time: bigint): number {
  return Number(time - view.start) / view.scale;
}

export function shown(view: View, width: number): Range {
  return { start: view.start, end: timeAt(view, width) };
}

/** The view in which all of a range is seen, with some room at its sides. */
export function fit(range: Range, width: number): View {
  const scale = Math.max(MIN_SCALE, (Number(range.end - range.start) * 1.04) / Math.max(1, width));
  return { start: (range.start + range.end) / 2n - BigInt(Math.round((scale * width) / 2)), scale };
}

/** Zoom by a factor (below 1: nearer) so that the moment at x stays where it is. */
export function zoom(view: View, factor: number, x: number, content: Range, width: number): View {
  const most = (Number(content.end - content.start) * 1.5) / Math.max(1, width);
  const scale = Math.min(Math.max(view.scale * factor, MIN_SCALE), Math.max(most, MIN_SCALE));
  return clamp({ start: timeAt(view, x) - BigInt(Math.round(x * scale)), scale }, content, width);
}

export function pan(view: View, pixels: number, content: Range, width: number): View {
  return clamp({ ...view, start: view.start + BigInt(Math.round(pixels * view.scale)) }, content, width);
}

/** Keep some of the content in view. */
export function clamp(view: View, content: Range, width: number): View {
  const half = BigInt(Math.round((view.scale * width) / 2));
  const first = content.start - half;
  const last = content.end - half;
  return { ...view, start: view.start < first ? first : view.start > last ? last : view.start };
}

/** The view moved so that a moment is inside, with a margin. */
export function reveal(view: View, time: bigint, width: number): View {
  const x = placeOf(view, time);
  if (x >= 0 && x <= width) return view;
  return { ...view, start: time - BigInt(Math.round(view.scale * width * (x < 0 ? 0.8 : 0.15))) };
}
