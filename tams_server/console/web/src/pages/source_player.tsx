// The player of a source: of the flow of it that stands for it.
import { useEffect, useState } from "preact/hooks";
import { getJson } from "../api";
import { href } from "../router";
import type { Flow } from "../types";
import { ErrorBox, Loading } from "../ui/states";
import { contentOf, leading, useLead } from "./flow_lead";
import { FlowWorkspace } from "./flow_workspace";

const MOST = 100; // of the source's flows are looked at

/** key it by the source's id. Empty where the source has no flow that can be played. */
export function SourcePlayer({ id }: { id: string }) {
  const [flow, setFlow] = useState<Flow | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    const query = { source_id: id, include_timerange: true, limit: MOST };
    getJson<Flow[]>("/flows", { query, signal: abort.signal }).then(
      (flows) => {
        setFlow(representative(flows));
        setError(null);
      },
      (problem: unknown) => {
        if (!abort.signal.aborted) setError(problem);
      },
    );
    return () => abort.abort();
  }, [id, attempt]);
  if (error !== null) return <ErrorBox error={error} retry={() => setAttempt(attempt + 1)} />;
  return flow && <PlayedFlow flow={flow} />;
}

/** The flow with media of its own that leads, or else one that collects others. */
function representative(flows: readonly Flow[]): Flow | null {
  return leading(flows) ?? flows.find((flow) => flow.flow_collection?.length && contentOf(flow) === null) ?? null;
}

function PlayedFlow({ flow }: { flow: Flow }) {
  const { lead, error, retry } = useLead(flow);
  if (lead === undefined) return error ? <ErrorBox error={error} retry={retry} /> : <Loading />;
  if (lead === null) return null;
  return (
    <>
      <FlowWorkspace key={`${flow.id} ${lead.flow.id}`} flow={flow} lead={lead} />
      <p class="muted">
        Player and timeline are those of the flow <a href={href(`/flows/${flow.id}`)}>{flow.label || flow.id}</a>.
      </p>
    </>
  );
}
