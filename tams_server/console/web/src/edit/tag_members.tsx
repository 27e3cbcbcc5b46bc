// Tags with one value or several, each edited in place and changed by a request of its own.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { resourcePath } from "../api";
import { Form, TextField } from "../ui/form";
import { Icon } from "../ui/icons";
import type { Tags, TagValue } from "../ui/tags";
import { ChangeProblem, useChange } from "./use_change";

interface TagMembersProps {
  path: string; // of the resource
  tags: Tags | undefined;
  editable: boolean;
  onChange: () => Promise<unknown> | void;
}

export function TagMembers({ path, tags, editable, onChange }: TagMembersProps) {
  const [editing, setEditing] = useState<string | null>(null); // "" for a new tag
  const entries = Object.entries(tags ?? {}).sort(([one], [other]) => one.localeCompare(other));
  // While a tag is being saved, the person may have begun to edit the next.
  const end = (name: string) => setEditing((now) => (now === name ? null : now));
  const done = (name: string) => {
    end(name);
    void onChange();
  };
  const editor = (name: string) => (
    <TagEditor path={path} tags={tags ?? {}} name={name} onDone={() => done(name)} onEnd={() => end(name)} />
  );
  return (
    <div class="member tags-member">
      <div class="member-name">Tags</div>
      <div class="member-value">
        {entries.length === 0 && editing === null && <span class="muted">none</span>}
        <ul class="tag-rows">
          {entries.map(([name, value]) =>
            editing === name ? (
              <li key={name}>{editor(name)}</li>
            ) : (
              <li key={name} class="tag-row">
                <span class="mono tag-row-name">{name}</span>
                <span class="tags">
                  {valuesOf(value).map((each, index) => (
                    <span key={index} class="tag">{each === "" ? <span class="muted">empty</span> : each}</span>
                  ))}
                </span>
                {editable && (
                  <button type="button" class="icon-button" aria-label={`Edit the tag ${name}`} onClick={() => setEditing(name)}>
                    <Icon name="edit" />
                  </button>
                )}
              </li>
            ),
          )}
          {editing === "" && <li>{editor("")}</li>}
        </ul>
        {editable && editing === null && (
          <button type="button" class="button small" onClick={() => setEditing("")}>
            <Icon name="add" />
            Add a tag
          </button>
        )}
      </div>
    </div>
  );
}

interface TagEditorProps {
  path: string;
  tags: Tags;
  name: string;
  onDone: () => void;
  onEnd: () => void;
}

function TagEditor({ path, tags, name: old, onDone, onEnd }: TagEditorProps) {
  const [seen] = useState<TagValue | undefined>(old ? tags[old] : undefined);
  const [name, setName] = useState(old);
  const [values, setValues] = useState<string[]>(seen === undefined ? [""] : valuesOf(seen));
  const frame = useRef<HTMLDivElement>(null);
  const change = useChange(path + resourcePath("tags", name), seen, `The tag ${name}`, onDone);
  const taken = !old && name in tags;
  const focusLast = useRef(true);
  useLayoutEffect(() => {
    const inputs = frame.current?.querySelectorAll("input");
    if (focusLast.current) inputs?.[old ? (inputs.length ?? 1) - 1 : values.length > 1 ? inputs.length - 1 : 0]?.focus();
    focusLast.current = false;
  }, [values.length]);
  // One value is a text, unless the tag was a list before; an empty list is a tag without values.
  const wanted = (): TagValue => (values.length === 1 && !Array.isArray(seen) ? (values[0] ?? "") : values);
  return (
    <div
      ref={frame}
      class="member-editor"
      onKeyDown={(event) => {
        if (event.key === "Escape") onEnd();
      }}
    >
      <Form onSubmit={() => !taken && name && void change.save(wanted())}>
        {!old && (
          <TextField
            label="Name of the tag"
            value={name}
            onInput={setName}
            required
            mono
            error={taken ? "There is such a tag: edit it instead." : undefined}
          />
        )}
        <fieldset class="field-set">
          <legend>{old ? <>Values of <code>{old}</code></> : "Values"}</legend>
          {values.map((value, index) => (
            <div key={index} class="value-row">
              <input
                class="input"
                aria-label={`Value ${index + 1}`}
                value={value}
                onInput={(event) => setValues(values.map((each, at) => (at === index ? event.currentTarget.value : each)))}
              />
              {values.length > 1 && (
                <button
                  type="button"
                  class="icon-button"
                  aria-label={`Remove value ${index + 1}`}
                  onClick={() => setValues(values.filter((_, at) => at !== index))}
                >
                  <Icon name="close" />
                </button>
              )}
            </div>
          ))}
          <button
            type="button"
            class="button small"
            onClick={() => {
              focusLast.current = true;
              setValues([...values, ""]);
            }}
          >
            <Icon name="add" />
            Another value
          </button>
        </fieldset>
        <ChangeProblem change={change} wanted={wanted} onDiscard={onDone} />
        <div class="button-row">
          <button type="submit" class="button primary small" disabled={change.busy || taken || !name}>Save</button>
          <button type="button" class="button small" onClick={onEnd}>Cancel</button>
          {old && (
            <button type="button" class="button small push" disabled={change.busy} onClick={() => void change.save(undefined)}>
              Delete the tag
            </button>
          )}
        </div>
      </Form>
    </div>
  );
}

function valuesOf(value: TagValue): string[] {
  return Array.isArray(value) ? value : [value];
}
