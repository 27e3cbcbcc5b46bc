// Deletes a source or flow: first only if nothing depends on it, then, if the person says so, with all that does.
import { useState } from "preact/hooks";
import { ApiError, resourcePath, send } from "../api";
import { navigate } from "../router";
import { useMay } from "../session";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/form";
import { Icon } from "../ui/icons";
import { Section } from "../ui/page";
import { ErrorBox } from "../ui/states";
import { toast } from "../ui/toast";
import { DeletionProgress, type DeleteRequest } from "./deletion_progress";
import { countDependents, DependentsList, type Dependents } from "./dependents";
import type { EditableDocument, EditableKind } from "./edit_panel";

interface DeletePanelProps {
  kind: EditableKind;
  id: string;
  document: EditableDocument & { timerange?: string; collected_by?: string[] };
}

export const LARGE = 10; // how much is deleted without the name being typed

/** Nothing for callers without the scope delete. */
export function DeletePanel({ kind, id, document }: DeletePanelProps) {
  const mayDelete = useMay("delete");
  const [open, setOpen] = useState(false);
  const noun = kind === "flows" ? "flow" : "source";
  if (!mayDelete) return null;
  return (
    <>
      <Section title={`Delete the ${noun}`}>
        <div class="delete-panel">
          <p class="muted">
            {document.read_only
              ? "The flow is read-only. Allow changes before you delete it."
              : `What depends on the ${noun} is shown before anything is deleted.`}
          </p>
          <button type="button" class="button" disabled={document.read_only === true} onClick={() => setOpen(true)}>
            <Icon name="deletions" />
            Delete…
          </button>
        </div>
      </Section>
      {open && <DeleteDialog kind={kind} id={id} document={document} onClose={() => setOpen(false)} />}
    </>
  );
}

type Stage =
  | { name: "ask" }
  | { name: "dependents"; dependents: Dependents }
  | { name: "progress"; request: string };

function DeleteDialog({ kind, id, document, onClose }: DeletePanelProps & { onClose: () => void }) {
  const noun = kind === "flows" ? "flow" : "source";
  const title = document.label || id.slice(0, 8);
  const [stage, setStage] = useState<Stage>({ name: "ask" });
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const leave = () => {
    toast(`The ${noun} ${title} is deleted`);
    navigate(`/${kind}`);
  };
  const remove = async (cascade: boolean) => {
    setBusy(true);
    setError(null);
    try {
      const request = await send<DeleteRequest>("DELETE", resourcePath(kind, id), { query: { cascade: String(cascade) } });
      if (request?.id) setStage({ name: "progress", request: request.id });
      else leave();
    } catch (problem) {
      const dependents = dependentsOf(problem);
      if (dependents && !cascade) setStage({ name: "dependents", dependents });
      else setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const large = stage.name === "dependents" && (kind === "sources" || countDependents(stage.dependents) > LARGE);
  return (
    <Dialog
      title={`Delete ${title}`}
      onClose={onClose}
      actions={
        stage.name === "progress" ? (
          <button type="button" class="button primary" onClick={() => navigate(`/${kind}`)}>Go on in the background</button>
        ) : (
          <>
            <button type="button" class="button" onClick={onClose}>Cancel</button>
            <button
              type="button"
              class="button danger"
              disabled={busy || (large && typed !== title)}
              onClick={() => void remove(stage.name === "dependents")}
            >
              {stage.name === "ask" ? "Delete if nothing depends on it" : "Delete all of this"}
            </button>
          </>
        )
      }
    >
      {stage.name === "ask" && (
        <p>
          The {noun} is deleted if nothing depends on it. Otherwise nothing is changed, and you see what does.
        </p>
      )}
      {stage.name === "dependents" && (
        <>
          <p>Nothing has been deleted. On this {noun} depend:</p>
          <DependentsList dependents={stage.dependents} kind={kind} />
          <p>{CONSEQUENCES[kind]}</p>
          {large && (
            <TextField label={`Type ${title} to confirm`} value={typed} onInput={setTyped} autocomplete="off" autofocus />
          )}
        </>
      )}
      {stage.name === "progress" && <DeletionProgress id={stage.request} onDone={leave} />}
      {error !== null && <ErrorBox error={error} />}
    </Dialog>
  );
}

const CONSEQUENCES = {
  flows:
    "The segments are deleted with the flow, and it leaves its collections. Objects that other flows use stay, and so do those flows.",
  sources: "The flows of the source are deleted with it, one after another, with their segments.",
};

/** What the server says is in the way of a deletion, if the error is that. */
export function dependentsOf(error: unknown): Dependents | null {
  if (!(error instanceof ApiError) || error.status !== 409) return null;
  const { dependents } = error.problem;
  return dependents && typeof dependents === "object" ? (dependents as Dependents) : null;
}
