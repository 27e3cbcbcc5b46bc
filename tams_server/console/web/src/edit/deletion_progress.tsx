// How far a flow delete request has come.
import { useEffect } from "preact/hooks";
import { ApiError, resourcePath } from "../api";
import { useResource } from "../live";
import { ErrorBox } from "../ui/states";
import { Badge } from "../ui/text";
import { parseTimerange } from "../ui/time";

export interface DeleteRequest {
  id: string;
  flow_id: string;
  status: "created" | "started" | "done" | "error";
  timerange_to_delete: string;
  timerange_remaining?: string;
  delete_flow: boolean;
  created?: string;
  created_by?: string;
  updated?: string;
  expiry?: string;
  source_id?: string;
  flows_to_delete?: number;
  flows_deleted?: number;
  error?: { type?: string; summary?: string; time?: string };
}

const KINDS = { created: "plain", started: "busy", done: "good", error: "bad" } as const;
const WORDS = { created: "waiting", started: "running", done: "done", error: "failed" } as const;

export function DeletionState({ request }: { request: DeleteRequest }) {
  return <Badge kind={KINDS[request.status]}>{WORDS[request.status]}</Badge>;
}

/** The part that is done, from 0 to 1; undefined if it cannot be known. */
export function fractionDone(request: DeleteRequest): number | undefined {
  if (request.status === "done") return 1;
  if (request.status === "created") return 0;
  const { flows_to_delete: all, flows_deleted: deleted } = request;
  if (all) return (deleted ?? 0) / all;
  const whole = parseTimerange(request.timerange_to_delete);
  const rest = parseTimerange(request.timerange_remaining ?? "()");
  if (rest === null) return 1;
  if (!whole || whole.start === null || whole.end === null || rest.start === null) return undefined;
  return Math.max(0, Math.min(1, Number(rest.start - whole.start) / Number(whole.end - whole.start)));
}

export function DeletionBar({ request }: { request: DeleteRequest }) {
  const fraction = fractionDone(request);
  const label = `Deleted so far of ${request.source_id ? "the source" : "the flow"}`;
  if (fraction === undefined) return <progress aria-label={label} />;
  return <progress aria-label={label} value={fraction} max={1} />;
}

export function describeDeletion(request: DeleteRequest): string {
  if (request.source_id) return `${request.flows_deleted ?? 0} of ${request.flows_to_delete ?? "?"} flows deleted`;
  const rest = request.timerange_remaining ?? "";
  if (rest === "()") return "nothing remains";
  return rest === request.timerange_to_delete ? "everything remains" : `remaining: ${rest}`;
}

/** A request that is followed until it has ended. */
export function DeletionProgress({ id, onDone }: { id: string; onDone?: () => void }) {
  const { data, error } = useResource<DeleteRequest>(resourcePath("flow-delete-requests", id), {}, 1000);
  const done = data?.status === "done" || (error instanceof ApiError && error.status === 404);
  useEffect(() => {
    if (done) onDone?.();
  }, [done]);
  if (error !== undefined && !data) return done ? <p>The deletion has ended.</p> : <ErrorBox error={error} />;
  if (!data) return <p class="muted">Reading the delete request…</p>;
  return (
    <div class="deletion-progress" role="status">
      <p><DeletionState request={data} /> {describeDeletion(data)}</p>
      <DeletionBar request={data} />
      {data.error && <p class="field-error">{data.error.summary}</p>}
    </div>
  );
}
