// The flow that leads when a flow is played: its segments are on the timeline, and its pictures say which frame is shown.
import { useEffect, useState } from "preact/hooks";
import { ApiError, getJson, resourcePath } from "../api";
import { REFRESH_MS, useRefresh, useResource } from "../live";
import type { FrameRate } from "../timeline/clock";
import type { Range } from "../timeline/view";
import type { Flow } from "../types";
import { formatName } from "../ui/text";
import { parseTimerange } from "../ui/time";
import { frameRateOf } from "./flow_rate";

const MOST_LEVELS = 3; // of collections in collections, as in the server's playlists
const MOST_FLOWS = 100;

export interface Lead {
  flow: Flow; // the flow itself, or one that it collects
  content: Range;
  rate: FrameRate | null;
}

/** The lead of a flow: undefined until it is known, null if nothing can be played. */
export function useLead(flow: Flow): { lead: Lead | null | undefined; error: unknown; retry: () => void } {
  const { members, error, retry } = useMembers(flow);
  const own = contentOf(flow);
  const chosen = own ? null : leading(members ?? []);
  const { data } = useResource<Flow>(chosen ? resourcePath("flows", chosen.id) : null, { include_timerange: true });
  const rate = frameRateOf(flow) ?? rateOf(members ?? []);
  // One that has segments of its own is played even if what it collects cannot be read.
  if (own) return { lead: members || error ? { flow, content: own, rate } : undefined, error, retry };
  if (!members) return { lead: undefined, error, retry };
  const current = chosen && data?.id === chosen.id ? data : chosen;
  const content = current && contentOf(current);
  return { lead: current && content ? { flow: current, content, rate: frameRateOf(current) } : null, error, retry };
}

/** The flows that a flow collects, and those that these collect. Read again when the collection changes. */
function useMembers(flow: Flow): { members: Flow[] | undefined; error: unknown; retry: () => void } {
  const ids = (flow.flow_collection ?? []).map((member) => member.id);
  const key = [flow.id, ...ids].join(" ");
  const [state, setState] = useState<{ key: string; members?: Flow[]; error?: unknown }>({ key: "" });
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    if (ids.length === 0) return;
    const abort = new AbortController();
    readMembers(ids, abort.signal).then(
      (members) => setState({ key, members }),
      (error: unknown) => {
        if (!abort.signal.aborted) setState({ key, error });
      },
    );
    return () => abort.abort();
  }, [key, attempt]);
  const retry = () => setAttempt((count) => count + 1);
  // Until one of them has segments.
  const waiting = state.key === key && state.members && contentOf(flow) === null && leading(state.members) === null;
  useRefresh(async () => retry(), waiting ? REFRESH_MS : 0);
  if (ids.length === 0) return { members: NONE, error: undefined, retry };
  return state.key === key ? { members: state.members, error: state.error, retry } : { members: undefined, error: undefined, retry };
}

const NONE: Flow[] = [];

async function readMembers(ids: readonly string[], signal: AbortSignal): Promise<Flow[]> {
  const found = new Map<string, Flow>();
  let level = [...ids];
  for (let depth = 0; depth < MOST_LEVELS && level.length > 0; depth += 1) {
    const wanted = [...new Set(level)].filter((id) => !found.has(id)).slice(0, MOST_FLOWS - found.size);
    const flows = (await Promise.all(wanted.map((id) => readFlow(id, signal)))).filter((flow) => flow !== null);
    for (const flow of flows) found.set(flow.id, flow);
    level = flows.flatMap((flow) => (flow.flow_collection ?? []).map((member) => member.id));
  }
  return [...found.values()];
}

/** null: it has been deleted, or the caller may not read it. */
async function readFlow(id: string, signal: AbortSignal): Promise<Flow | null> {
  try {
    return await getJson<Flow>(resourcePath("flows", id), { query: { include_timerange: true }, signal });
  } catch (error) {
    if (error instanceof ApiError && (error.status === 403 || error.status === 404)) return null;
    throw error;
  }
}

/** Pictures before sound, and of either the highest bit rate, as in the server's playlists. */
export function leading(flows: readonly Flow[]): Flow | null {
  const ranked = flows
    .filter((flow) => contentOf(flow) !== null && LEADING.includes(formatName(flow.format)))
    .sort((a, b) => place(a) - place(b) || (b.avg_bit_rate ?? 0) - (a.avg_bit_rate ?? 0));
  return ranked[0] ?? null;
}

const LEADING = ["video", "multi", "audio"];

function place(flow: Flow): number {
  return LEADING.indexOf(formatName(flow.format));
}

function rateOf(flows: readonly Flow[]): FrameRate | null {
  const first = flows.find((flow) => formatName(flow.format) === "video" && frameRateOf(flow));
  return first ? frameRateOf(first) : null;
}

export function contentOf(flow: Flow): Range | null {
  const span = flow.timerange === undefined ? null : parseTimerange(flow.timerange);
  return span && span.start !== null && span.end !== null && span.start < span.end ? { start: span.start, end: span.end } : null;
}
