// The collections that a source is in, as a graph: sources above and below it, each with its flows.
import { getJson, getPage, resourcePath } from "../api";
import type { Flow, Source } from "../types";

export interface GraphNode {
  id: string;
  kind: "source" | "flow" | "more";
  label: string;
  format: string;
  path: string; // of its page
  detail: string;
}

export interface GraphEdge {
  from: string;
  to: string;
  role: string; // in the collection; "" for the flow of a source
}

export interface CollectionGraph {
  nodes: GraphNode[];
  edges: GraphEdge[];
  truncated: boolean; // there is more than is shown
}

const MOST_SOURCES = 40;
const MOST_FLOWS = 6; // of each source
const AT_A_TIME = 6;

/** Read the graph around a source: what collects it, directly or not, and all that these collect. */
export async function readCollectionGraph(start: Source, signal: AbortSignal): Promise<CollectionGraph> {
  const sources = new Map<string, Source>([[start.id, start]]);
  let truncated = false;
  let front = [start];
  while (front.length > 0) {
    const wanted = new Set(front.flatMap(neighbours).filter((id) => !sources.has(id)));
    const room = MOST_SOURCES - sources.size;
    truncated ||= wanted.size > room;
    front = await inBatches([...wanted].slice(0, Math.max(room, 0)), async (id) =>
      getJson<Source>(resourcePath("sources", id), { signal }),
    );
    for (const source of front) sources.set(source.id, source);
  }
  const nodes: GraphNode[] = [];
  const edges: GraphEdge[] = [];
  const flows = await inBatches([...sources.keys()], (id) => flowsOf(id, signal));
  [...sources.values()].forEach((source, index) => {
    nodes.push(sourceNode(source));
    for (const { id, role } of source.source_collection ?? []) {
      if (sources.has(id)) edges.push({ from: source.id, to: id, role });
    }
    const found = flows[index] ?? { items: [], more: false };
    for (const flow of found.items) {
      nodes.push(flowNode(flow));
      edges.push({ from: source.id, to: flow.id, role: "" });
    }
    if (found.more) {
      const id = `more ${source.id}`;
      const path = `/flows?source_id=${source.id}`;
      nodes.push({ id, kind: "more", label: "more flows", format: source.format, path, detail: "" });
      edges.push({ from: source.id, to: id, role: "" });
    }
  });
  return { nodes, edges, truncated };
}

/** Every source that collects this one or is collected by it. What a caller may not see is left out by the server. */
function neighbours(source: Source): string[] {
  return [...(source.source_collection ?? []).map(({ id }) => id), ...(source.collected_by ?? [])];
}

async function flowsOf(id: string, signal: AbortSignal): Promise<{ items: Flow[]; more: boolean }> {
  const page = await getPage<Flow>("/flows", { query: { source_id: id, limit: MOST_FLOWS }, signal });
  return { items: page?.items ?? [], more: page?.next != null };
}

function sourceNode(source: Source): GraphNode {
  const { id, format } = source;
  const count = source.source_collection?.length ?? 0;
  const detail = count > 0 ? `source, collects ${count}` : "source";
  return { id, kind: "source", label: source.label || id.slice(0, 8), format, path: `/sources/${id}`, detail };
}

function flowNode(flow: Flow): GraphNode {
  const { id, format } = flow;
  const detail = flow.codec ? `flow, ${flow.codec}` : "flow";
  return { id, kind: "flow", label: flow.label || id.slice(0, 8), format, path: `/flows/${id}`, detail };
}

async function inBatches<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let index = 0; index < items.length; index += AT_A_TIME) {
    results.push(...(await Promise.all(items.slice(index, index + AT_A_TIME).map(work))));
  }
  return results;
}
