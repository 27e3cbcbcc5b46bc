// A cut by reference: a new flow whose segments use the same objects, or the parts of them that are wanted.
import { ApiError, getJson, request, resourcePath, send } from "../api";
import { offsetOf, readSegments, type Segment } from "../timeline/segments";
import type { Range } from "../timeline/view";
import type { Flow } from "../types";
import { formatSpan, formatTimestamp } from "../ui/time";
import { contentOf } from "./flow_lead";

export interface CutRequest {
  flow: Flow;
  range: Range;
  ids: CutIds;
  newSource: boolean;
  label: string;
  fromZero: boolean; // whether the new flow begins at 0
}

/** The ids of what a cut makes, by those of what it is made of: the same ones if it is tried again. */
export class CutIds {
  private readonly made = new Map<string, string>();

  of(kind: "flow" | "source", id: string): string {
    const key = `${kind} ${id}`;
    const found = this.made.get(key) ?? newId();
    this.made.set(key, found);
    return found;
  }
}

/** A random UUID. crypto.randomUUID is missing over plain HTTP. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const text = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join("-");
}

// What the server sets, and what is only true of the flow that is cut.
const NOT_COPIED = [
  "id", "source_id", "label", "description", "created", "created_by", "updated_by", "metadata_updated",
  "segments_updated", "metadata_version", "collected_by", "timerange", "status", "read_only", "generation", "deleted",
  "expires", "restorable_until",
];
const BATCH = 300;

interface CutSegment {
  object_id: string;
  timerange: string;
  ts_offset?: string;
}

/** The segment of the cut that a segment of the flow becomes. shift: nanoseconds by which the cut is later. */
export function cutSegment(segment: Segment, range: Range, shift: bigint): CutSegment {
  const start = segment.start > range.start ? segment.start : range.start;
  const end = segment.end < range.end ? segment.end : range.end;
  const offset = offsetOf(segment.document) + shift;
  return {
    object_id: segment.document.object_id,
    timerange: formatSpan({ start: start + shift, end: end + shift }),
    ...(offset !== 0n ? { ts_offset: formatTimestamp(offset) } : {}),
  };
}

/**
 * Make the cut: of the flow, or, where it has no segments of its own, of each flow that it collects and a flow that collects
 * those. onProgress: called with the number of segments so far. onMade: called with the id of each flow before it is made.
 */
export async function makeCut(
  cut: CutRequest, onProgress: (segments: number) => void, onMade: (flowId: string) => void, signal: AbortSignal,
): Promise<void> {
  const { flow, ids, label } = cut;
  let count = 0;
  const add = (segments: number) => onProgress((count += segments));
  if (contentOf(flow) !== null || !flow.flow_collection?.length) {
    await cutFlow(cut, flow, label, add, onMade, signal);
    return;
  }
  const members = [];
  for (const { id, ...member } of flow.flow_collection) {
    const collected = await getJson<Flow>(resourcePath("flows", id), { signal });
    await cutFlow(cut, collected, `${label}, ${member.role}`, add, onMade, signal);
    members.push({ ...member, id: ids.of("flow", id) });
  }
  await putFlow(cut, flow, label, { flow_collection: members }, onMade, signal);
}

async function putFlow(
  { range, ids, newSource }: CutRequest, flow: Flow, label: string, members: Partial<Flow>,
  onMade: (flowId: string) => void, signal: AbortSignal,
): Promise<string> {
  const id = ids.of("flow", flow.id);
  const copied = Object.fromEntries(Object.entries(flow).filter(([name]) => !NOT_COPIED.includes(name)));
  const description = `Cut of flow ${flow.id}, timerange ${formatSpan(range)}`;
  const source_id = newSource ? ids.of("source", flow.source_id) : flow.source_id;
  onMade(id);
  await send("PUT", resourcePath("flows", id), { body: { ...copied, ...members, id, source_id, label, description }, signal });
  return id;
}

async function cutFlow(
  cut: CutRequest, flow: Flow, label: string,
  onSegments: (count: number) => void, onMade: (flowId: string) => void, signal: AbortSignal,
): Promise<void> {
  const { range } = cut;
  const id = await putFlow(cut, flow, label, {}, onMade, signal);
  // What an attempt before this one has registered.
  const registered = new Set<string>();
  await eachPage(id, null, signal, async (segments) => segments.forEach((each) => registered.add(each.document.timerange)));
  const shift = cut.fromZero ? -range.start : 0n;
  await eachPage(flow.id, range, signal, async (segments) => {
    for (let start = 0; start < segments.length; start += BATCH) {
      const batch = segments.slice(start, start + BATCH).map((segment) => cutSegment(segment, range, shift));
      const body = batch.filter((segment) => !registered.has(segment.timerange));
      if (body.length > 0) await register(id, body, signal);
      onSegments(batch.length);
    }
  });
}

async function register(id: string, body: readonly CutSegment[], signal: AbortSignal): Promise<void> {
  const answer = await send<{ failed_segments?: { error?: { summary?: string } }[] }>(
    "POST", resourcePath("flows", id, "segments"), { body: body.length === 1 ? body[0] : body, signal },
  );
  const failed = answer?.failed_segments?.[0];
  if (failed) throw new Error(`A segment could not be registered: ${failed.error?.summary ?? "no reason given"}`);
}

async function eachPage(
  flowId: string, range: Range | null, signal: AbortSignal, act: (segments: Segment[]) => Promise<void>,
): Promise<void> {
  let next: URL | null = null;
  do {
    const page: { segments: Segment[]; next: URL | null } = await readSegments(flowId, range, signal, next);
    await act(page.segments);
    next = page.next;
  } while (next !== null);
}

/** Delete the flows of a cut that is not wanted any more. The objects are those of other flows, and stay. */
export async function removeCut(flowIds: Iterable<string>): Promise<void> {
  for (const id of flowIds) {
    try {
      await request("DELETE", resourcePath("flows", id));
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    }
  }
}
