// Tags of a resource, shown and edited. A tag has one value or a list of them.
import { useState } from "preact/hooks";
import { resourcePath, send } from "../api";
import { TextField } from "./form";
import { Icon } from "./icons";
import { toast, toastError } from "./toast";

export type TagValue = string | string[];
export type Tags = Record<string, TagValue>;

export function tagText(value: TagValue): string {
  return Array.isArray(value) ? value.join(", ") : value;
}

export function TagList({ tags, most = Infinity }: { tags: Tags | undefined; most?: number }) {
  const entries = Object.entries(tags ?? {});
  if (entries.length === 0) return null;
  return (
    <ul class="tags">
      {entries.slice(0, most).map(([name, value]) => (
        <li key={name} class="tag" title={`${name}: ${tagText(value)}`}>
          <span class="tag-name">{name}</span> {tagText(value)}
        </li>
      ))}
      {entries.length > most && <li class="muted">+{entries.length - most}</li>}
    </ul>
  );
}

interface TagsEditorProps {
  tags: Tags | undefined;
  path: string; // of the resource, such as /flows/ID
  editable: boolean;
  onChange: () => Promise<unknown> | void; // reads the resource again
}

/** The tags of a resource, each changed by a request of its own. */
export function TagsEditor({ tags, path, editable, onChange }: TagsEditorProps) {
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  const [busy, setBusy] = useState(false);
  const change = async (work: () => Promise<unknown>, done: string) => {
    setBusy(true);
    try {
      await work();
      toast(done);
      await onChange();
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  };
  const tagPath = (tag: string) => path + resourcePath("tags", tag);
  const set = () =>
    change(async () => {
      await send("PUT", tagPath(name), { body: parseTagValue(value) });
      setName("");
      setValue("");
    }, `The tag ${name} is set`);
  const entries = Object.entries(tags ?? {});
  return (
    <div class="tags-editor">
      {entries.length === 0 && <p class="muted">No tags</p>}
      {entries.length > 0 && (
        <table class="plain-table">
          <thead class="visually-hidden">
            <tr>
              <th scope="col">Tag</th>
              <th scope="col">Value</th>
              {editable && <th scope="col">Actions</th>}
            </tr>
          </thead>
          <tbody>
            {entries.map(([each, text]) => (
              <tr key={each}>
                <th scope="row" class="mono">{each}</th>
                <td>{tagText(text)}</td>
                {editable && (
                  <td class="row-actions">
                    <button
                      type="button"
                      class="icon-button"
                      aria-label={`Edit the tag ${each}`}
                      disabled={busy}
                      onClick={() => {
                        setName(each);
                        setValue(Array.isArray(text) ? JSON.stringify(text) : text);
                      }}
                    >
                      <Icon name="edit" />
                    </button>
                    <button
                      type="button"
                      class="icon-button"
                      aria-label={`Delete the tag ${each}`}
                      disabled={busy}
                      onClick={() => void change(() => send("DELETE", tagPath(each)), `The tag ${each} is deleted`)}
                    >
                      <Icon name="close" />
                    </button>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {editable && (
        <form
          class="inline-form"
          onSubmit={(event) => {
            event.preventDefault();
            void set();
          }}
        >
          <TextField label="Tag" value={name} onInput={setName} required mono />
          <TextField label="Value" value={value} onInput={setValue} placeholder='text, or ["one", "two"]' />
          <button type="submit" class="button" disabled={busy || !name}>
            {name in (tags ?? {}) ? "Change" : "Add"}
          </button>
        </form>
      )}
    </div>
  );
}

/** A JSON list of texts is a list; everything else is one text. */
export function parseTagValue(text: string): TagValue {
  if (!text.trim().startsWith("[")) return text;
  try {
    const parsed: unknown = JSON.parse(text);
    if (Array.isArray(parsed) && parsed.every((each) => typeof each === "string")) return parsed as string[];
  } catch {
    // no list
  }
  return text;
}
