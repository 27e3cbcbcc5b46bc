// Adds an instance to an object, as a copy on another storage backend or as a URL elsewhere, and removes one.
import { useState } from "preact/hooks";
import { resourcePath, send } from "../api";
import { useResource } from "../live";
import type { StorageBackend } from "../types";
import { Confirm } from "../ui/dialog";
import { SelectField, TextField } from "../ui/form";
import { ErrorBox } from "../ui/states";
import { toast } from "../ui/toast";

interface AddInstanceProps {
  objectId: string;
  present: readonly string[]; // storage backends that have an instance
  onDone: () => Promise<void>;
  onClose: () => void;
}

const ELSEWHERE = "";

export function AddInstance({ objectId, present, onDone, onClose }: AddInstanceProps) {
  const { data, error } = useResource<StorageBackend[]>("/service/storage-backends", {}, 0);
  const free = (data ?? []).filter((backend) => !present.includes(backend.id));
  const [chosen, setChosen] = useState(ELSEWHERE);
  const [url, setUrl] = useState("");
  const [label, setLabel] = useState("");
  const elsewhere = chosen === ELSEWHERE;
  return (
    <Confirm
      title="Add an instance"
      action={elsewhere ? "Add" : "Copy"}
      disabled={elsewhere && (url.trim() === "" || label.trim() === "")}
      onClose={onClose}
      onConfirm={async () => {
        const body = elsewhere ? { url: url.trim(), label: label.trim() } : { storage_id: chosen };
        await send("POST", resourcePath("objects", objectId, "instances"), { body });
        toast(elsewhere ? "The URL is added" : "The object is copied");
        await onDone();
      }}
    >
      {error !== undefined && <ErrorBox error={error} />}
      <SelectField
        label="Where"
        value={chosen}
        onChange={setChosen}
        options={[[ELSEWHERE, "Elsewhere, by its URL"], ...free.map(({ id, label: name }) => [id, `Copy to ${name ?? id}`] as const)]}
        hint={elsewhere ? "The bytes must be there already, and the same. This server does not look after them." : "This server copies the bytes, which may take a while."}
      />
      {elsewhere && (
        <>
          <TextField label="URL" value={url} onInput={setUrl} mono autocomplete="off" />
          <TextField label="Label" value={label} onInput={setLabel} autocomplete="off" hint="By which clients choose among URLs." />
        </>
      )}
    </Confirm>
  );
}

interface RemoveInstanceProps {
  objectId: string;
  name: string; // for people
  selection: { storage_id: string } | { label: string };
  onDone: () => Promise<void>;
  onClose: () => void;
}

export function RemoveInstance({ objectId, name, selection, onDone, onClose }: RemoveInstanceProps) {
  return (
    <Confirm
      title={`Remove the instance ${name}`}
      action="Remove"
      danger
      onClose={onClose}
      onConfirm={async () => {
        await send("DELETE", resourcePath("objects", objectId, "instances"), { query: selection });
        toast(`The instance ${name} is removed`);
        await onDone();
      }}
    >
      <p>
        {"storage_id" in selection
          ? "Its bytes on this storage backend are deleted. The other instances stay."
          : "Its URL is taken off the list. The bytes there are left alone."}
      </p>
    </Confirm>
  );
}
