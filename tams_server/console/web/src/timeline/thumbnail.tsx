// A small picture of a flow at a moment, if the server makes them.
import { useEffect, useState } from "preact/hooks";
import { ApiError, getJson, request, resourcePath } from "../api";
import { formatTimestamp } from "../ui/time";

const SETTLE_MS = 140;
const STEP = 200_000_000n; // moments closer than this share a picture
const MOST = 80;
let offered: Promise<boolean> | undefined;
const kept = new Map<string, string | null>();
const without = new Set<string>(); // flows of which there are none

export function Thumbnail({ flowId, time }: { flowId: string; time: bigint }) {
  const at = formatTimestamp((time / STEP) * STEP);
  const key = `${flowId} ${at}`;
  const [, setCount] = useState(0);
  useEffect(() => {
    if (kept.has(key) || without.has(flowId)) return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      const path = `${resourcePath("flows", flowId)}/thumbnail.jpg`;
      offered ??= isOffered();
      offered
        .then((is) => (is ? load(flowId, path, at, key, abort.signal) : void without.add(flowId)))
        .finally(() => setCount((count) => count + 1));
    }, SETTLE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [key]);
  if (without.has(flowId)) return null;
  const url = kept.get(key);
  return url ? <img class="timeline-thumbnail" src={url} alt="" /> : <div class="timeline-thumbnail" />;
}

/** Whether this server makes pictures: its OpenAPI document says so. */
async function isOffered(): Promise<boolean> {
  try {
    const document = await getJson<{ paths: Record<string, unknown> }>("/openapi.json");
    return "/flows/{flowId}/thumbnail.jpg" in document.paths;
  } catch {
    return false;
  }
}

async function load(flowId: string, path: string, at: string, key: string, signal: AbortSignal): Promise<void> {
  try {
    const response = await request("GET", path, { query: { at }, headers: { Accept: "image/jpeg" }, signal });
    keep(key, URL.createObjectURL(await response.blob()));
  } catch (error) {
    if (error instanceof ApiError && error.status !== 503) without.add(flowId);
  }
}

function keep(key: string, url: string): void {
  kept.set(key, url);
  if (kept.size > MOST) {
    const [oldest, before] = kept.entries().next().value!;
    if (before) URL.revokeObjectURL(before);
    kept.delete(oldest);
  }
}
