// The part of a flow that is played at a time, and its segments.
import { readSegments, type Segment } from "../timeline/segments";
import type { Range } from "../timeline/view";
import { formatSpan, formatTimestamp } from "../ui/time";

const MINUTE = 60_000_000_000n;
const WINDOW = 10n * MINUTE;
const WHOLE = 30n * MINUTE; // flows up to this length are played in one window
const MOST_PAGES = 12;

export function windowAround(moment: bigint, { start, end }: Range): Range {
  if (end - start <= WHOLE) return { start, end: end + WHOLE };
  // Aligned, so that the same playlist serves many moments.
  const first = (moment / WINDOW) * WINDOW - MINUTE / 6n;
  return { start: first > start ? first : start, end: first + WINDOW + MINUTE / 3n };
}

/** The timerange of a window's playlist. Where the flow ends in the window, it has no end, so that it can grow. */
export function timerangeOf(window: Range, content: Range): string {
  return window.end >= content.end ? `[${formatTimestamp(window.start)}_` : formatSpan(window);
}

export async function readWindow(flowId: string, window: Range, signal: AbortSignal): Promise<Segment[]> {
  const found: Segment[] = [];
  let next: URL | null = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const read: { segments: Segment[]; next: URL | null } = await readSegments(flowId, window, signal, next);
    found.push(...read.segments);
    next = read.next;
    if (next === null) break;
  }
  return found;
}
