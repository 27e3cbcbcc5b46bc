// A cut by reference: a new flow whose segments use the same objects, or the parts of them that are wanted.
import { resourcePath, send } from "../api";
import { offsetOf, readSegments, type Segment } from "../timeline/segments";
import type { Range } from "../timeline/view";
import type { Flow } from "../types";
import { formatSpan, formatTimestamp } from "../ui/time";

export interface CutRequest {
  flow: Flow;
  range: Range;
  id: string; // of the new flow
  sourceId: string;
  label: string;
  fromZero: boolean; // whether the new flow begins at 0
}

// What the server sets, and what is only true of the flow that is cut.
const NOT_COPIED = [
  "id", "source_id", "label", "description", "created", "created_by", "updated_by", "metadata_updated",
  "segments_updated", "metadata_version", "collected_by", "timerange", "status", "read_only", "generation", "deleted",
  "expires", "restorable_until",
];
const BATCH = 300;

/** The segment of the cut that a segment of the flow becomes. shift: nanoseconds by which the cut is later. */
export function cutSegment(segment: Segment, range: Range, shift: bigint): Record<string, unknown> {
  const start = segment.start > range.start ? segment.start : range.start;
  const end = segment.end < range.end ? segment.end : range.end;
  const offset = offsetOf(segment.document) + shift;
  return {
    object_id: segment.document.object_id,
    timerange: formatSpan({ start: start + shift, end: end + shift }),
    ...(offset !== 0n ? { ts_offset: formatTimestamp(offset) } : {}),
  };
}

/** Make the cut. onProgress: called with the number of segments so far. Returns that number. */
export async function makeCut(cut: CutRequest, onProgress: (segments: number) => void, signal: AbortSignal): Promise<number> {
  const { flow, range } = cut;
  const copied = Object.fromEntries(Object.entries(flow).filter(([name]) => !NOT_COPIED.includes(name)));
  const description = `Cut of flow ${flow.id}, timerange ${formatSpan(range)}`;
  const document = { ...copied, id: cut.id, source_id: cut.sourceId, label: cut.label, description };
  await send("PUT", resourcePath("flows", cut.id), { body: document, signal });
  const shift = cut.fromZero ? -range.start : 0n;
  let count = 0;
  let next: URL | null = null;
  do {
    const page: { segments: Segment[]; next: URL | null } = await readSegments(flow.id, range, signal, next);
    for (let start = 0; start < page.segments.length; start += BATCH) {
      const body = page.segments.slice(start, start + BATCH).map((segment) => cutSegment(segment, range, shift));
      const answer = await send<{ failed_segments?: { error?: { summary?: string } }[] }>(
        "POST", resourcePath("flows", cut.id, "segments"), { body: body.length === 1 ? body[0] : body, signal },
      );
      const failed = answer?.failed_segments?.[0];
      if (failed) throw new Error(`A segment could not be registered: ${failed.error?.summary ?? "no reason given"}`);
      count += body.length;
      onProgress(count);
    }
    next = page.next;
  } while (next !== null);
  return count;
}
