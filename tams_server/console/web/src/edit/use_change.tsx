// What every editor of a member does: save, say so, and let the person decide if somebody else was faster.
import { useState } from "preact/hooks";
import { ErrorBox } from "../ui/states";
import { tagText } from "../ui/tags";
import { toast } from "../ui/toast";
import { changeMember, ChangedMeanwhile } from "./conditional";

export interface Change {
  busy: boolean;
  error: unknown;
  save: (wanted: unknown, seen?: unknown) => Promise<void>;
  clear: () => void;
}

/** path: of the member. seen: its value when editing began. name: what it is called in messages. */
export function useChange(path: string, seen: unknown, name: string, onDone: () => void): Change {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const save = async (wanted: unknown, base: unknown = seen) => {
    setBusy(true);
    setError(null);
    try {
      await changeMember(path, base, wanted);
      toast(wanted === undefined ? `${name} is deleted` : `${name} is saved`);
      onDone();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, save, clear: () => setError(null) };
}

interface ProblemProps {
  change: Change;
  wanted: () => unknown; // what the person wants to save
  onDiscard: () => void; // takes the value that the server has
}

/** The error of a change; after a change by somebody else, both values to choose from. */
export function ChangeProblem({ change, wanted, onDiscard }: ProblemProps) {
  const { error } = change;
  if (error === null) return null;
  if (!(error instanceof ChangedMeanwhile)) return <ErrorBox error={error} />;
  return (
    <div class="conflict" role="alert">
      <p>
        Somebody else has changed this meanwhile. It is now {error.now === undefined ? "not set" : <q>{show(error.now)}</q>}.
      </p>
      <div class="button-row">
        <button type="button" class="button small" onClick={onDiscard}>Keep theirs</button>
        <button
          type="button"
          class="button small danger"
          disabled={change.busy}
          onClick={() => void change.save(wanted(), error.now === undefined ? undefined : error.now)}
        >
          Replace it with mine
        </button>
      </div>
    </div>
  );
}

function show(value: unknown): string {
  return typeof value === "string" || Array.isArray(value) ? tagText(value) : String(value);
}
