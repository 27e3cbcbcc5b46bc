// Single segments of a flow, for views with few of them and for the table.
import { getPage, resourcePath, type Page } from "../api";
import { formatSpan, parseTimerange, parseTimestamp } from "../ui/time";
import type { Range } from "./view";

export interface SegmentDocument {
  object_id: string;
  timerange: string;
  object_timerange?: string;
  ts_offset?: string;
  key_frame_count?: number;
  sample_count?: number;
  init_object?: { object_id: string };
  get_urls?: { url: string; label?: string }[];
}

export interface Segment extends Range {
  document: SegmentDocument;
  partial: boolean; // uses a part of its object
}

const LIMIT = 300;
// Audio frames overlap the cut, so that objects are a little longer than their segments: up to TOLERANCE, but never more
// than a quarter of the object. The summaries of the server have the same rule.
const TOLERANCE = 50_000_000n;

function isPart(used: bigint, whole: bigint): boolean {
  return whole - used > (whole / 4n < TOLERANCE ? whole / 4n : TOLERANCE);
}

export function segmentOf(document: SegmentDocument): Segment {
  const span = parseTimerange(document.timerange);
  const whole = document.object_timerange === undefined ? null : parseTimerange(document.object_timerange);
  const start = span?.start ?? 0n;
  const end = span?.end ?? start;
  const partial = whole?.start != null && whole.end !== null && isPart(end - start, whole.end - whole.start);
  return { start, end, document, partial };
}

/** A page of segments, without URLs of their media. */
export async function readSegments(
  flowId: string, range: Range | null, signal?: AbortSignal, next?: URL | null,
): Promise<{ segments: Segment[]; next: URL | null }> {
  const query = {
    limit: LIMIT,
    include_object_timerange: true,
    ...(range ? { timerange: formatSpan(range) } : {}),
  };
  const path = `${resourcePath("flows", flowId, "segments")}`;
  const page: Page<SegmentDocument> | null = next
    ? await getPage<SegmentDocument>(next, { signal })
    : await getPage<SegmentDocument>(`${path}?accept_get_urls=&${new URLSearchParams(stringified(query))}`, { signal });
  return { segments: (page?.items ?? []).map(segmentOf), next: page?.next ?? null };
}

function stringified(query: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]));
}

/** The moment on the object's timeline that a segment's moment shows. */
export function offsetOf(document: SegmentDocument): bigint {
  return document.ts_offset === undefined ? 0n : (parseTimestamp(document.ts_offset) ?? 0n);
}
