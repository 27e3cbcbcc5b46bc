// Draws the whole flow in small, below its timeline.
import type { Palette } from "./palette";
import { hatch, vertical, type Context } from "./shapes";
import type { Summary } from "./summaries";
import type { Range } from "./view";

export const MINI = 30;

/** Draw the whole flow, with the part that is shown. */
export function paintMinimap(
  context: Context, width: number, content: Range, summary: Summary, window: Range,
  position: bigint | null, colours: Palette,
): void {
  const scale = Number(content.end - content.start) / Math.max(1, width);
  const place = (time: bigint) => Number(time - content.start) / scale;
  context.clearRect(0, 0, width, MINI);
  context.fillStyle = colours.lane;
  context.fillRect(0, 0, width, MINI);
  if (summary.read) {
    const [from, to] = [Math.max(0, place(summary.read.start)), Math.min(width, place(summary.read.end))];
    if (to > from) hatch(context, from, 6, to - from, MINI - 12, colours.gap);
  }
  const length = 2 ** summary.level;
  for (const bucket of summary.buckets) {
    if (bucket.covered === 0) continue;
    const left = Math.round(Math.max(0, place(bucket.start)));
    const right = Math.round(Math.min(width, place(bucket.start) + length / scale));
    context.fillStyle = bucket.gap ? colours.gap : bucket.reused * 2 > bucket.sampled ? colours.reused : colours.segment;
    context.fillRect(left, 6, Math.max(1, right - left), MINI - 12);
  }
  const left = Math.max(0, place(window.start));
  const right = Math.min(width, place(window.end));
  context.globalAlpha = 0.55;
  context.fillStyle = colours.background;
  context.fillRect(0, 0, left, MINI);
  context.fillRect(right, 0, width - right, MINI);
  context.globalAlpha = 1;
  context.strokeStyle = colours.text;
  context.lineWidth = 1.5;
  context.strokeRect(left + 0.75, 0.75, Math.max(4, right - left - 1.5), MINI - 1.5);
  if (position !== null) vertical(context, place(position), 0, MINI, colours.playhead, 2);
}
