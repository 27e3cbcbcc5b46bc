// Deletes the segments of a part of a flow: first only if no other flow uses their objects.
import { useEffect, useState } from "preact/hooks";
import { ApiError, resourcePath, send } from "../api";
import { readSegments } from "../timeline/segments";
import type { Range } from "../timeline/view";
import type { Flow } from "../types";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/form";
import { ErrorBox } from "../ui/states";
import { Facts } from "../ui/text";
import { formatCount, formatDuration, formatSpan } from "../ui/time";
import { toast } from "../ui/toast";
import { dependentsOf, LARGE } from "./delete_panel";
import { DeletionProgress, type DeleteRequest } from "./deletion_progress";
import { DependentsList, type Dependents } from "./dependents";

interface DeleteSegmentsProps {
  flow: Flow; // whose segments they are
  range: Range;
  onDone: () => void;
  onClose: () => void;
}

type Stage =
  | { name: "ask" }
  | { name: "dependents"; dependents: Dependents }
  | { name: "many" }
  | { name: "progress"; request: string };

const ACTIONS = { ask: "Delete if no other flow uses them", dependents: "Delete all the same", many: "Delete without the check" };

export function DeleteSegmentsDialog({ flow, range: given, onDone, onClose }: DeleteSegmentsProps) {
  const [range] = useState(given); // what the person has seen, although the flow may grow meanwhile
  const title = flow.label || flow.id.slice(0, 8);
  const { found, error: unread } = useFound(flow.id, range);
  const [stage, setStage] = useState<Stage>({ name: "ask" });
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const finish = () => {
    toast("The segments are deleted");
    onDone();
    onClose();
  };
  const remove = async (cascade: boolean) => {
    setBusy(true);
    setError(null);
    try {
      const query = { timerange: formatSpan(range), cascade: String(cascade) };
      const request = await send<DeleteRequest>("DELETE", resourcePath("flows", flow.id, "segments"), { query });
      if (request?.id) setStage({ name: "progress", request: request.id });
      else finish();
    } catch (problem) {
      const dependents = dependentsOf(problem);
      if (dependents) setStage({ name: "dependents", dependents });
      else if (problem instanceof ApiError && problem.problem.code === "segments.too_many_to_check") setStage({ name: "many" });
      else setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const large = found !== null && (found.more || found.inside > LARGE);
  const ready = found !== null && (found.more || found.inside > 0) && (!large || typed === title);
  return (
    <Dialog
      title={`Delete segments of ${title}`}
      onClose={onClose}
      actions={
        stage.name === "progress" ? (
          <button type="button" class="button primary" onClick={onClose}>Go on in the background</button>
        ) : (
          <>
            <button type="button" class="button" onClick={onClose}>Cancel</button>
            <button type="button" class="button danger" disabled={busy || !ready} onClick={() => void remove(stage.name !== "ask")}>
              {ACTIONS[stage.name]}
            </button>
          </>
        )
      }
    >
      <Facts
        rows={[
          ["Timerange", <code key="range">{formatSpan(range)}</code>],
          ["Duration", formatDuration(range.end - range.start)],
          ["Segments", found ? describe(found) : unread ? "not known" : "counting…"],
        ]}
      />
      {unread !== null && <ErrorBox error={unread} />}
      {stage.name === "ask" && (
        <p>
          Segments that lie in this timerange from start to end are deleted for good. If other flows use their objects,
          nothing is changed, and you see which.
        </p>
      )}
      {stage.name === "dependents" && (
        <>
          <p>Nothing has been deleted. The same objects are used by:</p>
          <DependentsList dependents={stage.dependents} kind="flows" />
          <p>Those segments stay, and so do the objects that they use.</p>
        </>
      )}
      {stage.name === "many" && (
        <p>
          Nothing has been deleted: there are more segments than the server can check at once. They can be deleted without
          that check. Segments of other flows stay, and so do the objects that they use.
        </p>
      )}
      {stage.name === "progress" && <DeletionProgress id={stage.request} onDone={finish} />}
      {stage.name !== "progress" && large && (
        <TextField label={`Type ${title} to confirm`} value={typed} onInput={setTyped} autocomplete="off" autofocus />
      )}
      {error !== null && <ErrorBox error={error} />}
    </Dialog>
  );
}

interface Found {
  inside: number;
  across: number; // reach out of the timerange, and stay
  more: boolean; // there are further segments
}

/** The segments of a part of a flow, as far as a page of them goes. */
function useFound(flowId: string, range: Range): { found: Found | null; error: unknown } {
  const [state, setState] = useState<{ found: Found | null; error: unknown }>({ found: null, error: null });
  useEffect(() => {
    const abort = new AbortController();
    readSegments(flowId, range, abort.signal).then(
      ({ segments, next }) => {
        const inside = segments.filter(({ start, end }) => start >= range.start && end <= range.end).length;
        setState({ found: { inside, across: segments.length - inside, more: next !== null }, error: null });
      },
      (error: unknown) => {
        if (!abort.signal.aborted) setState({ found: null, error });
      },
    );
    return () => abort.abort();
  }, []);
  return state;
}

function describe({ inside, across, more }: Found): string {
  if (more) return `more than ${formatCount(inside)}`;
  return across === 0 ? formatCount(inside) : `${formatCount(inside)}, and ${across} that reach out of the timerange and stay`;
}
