// A label or a description: its text, edited in place.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Form, TextField } from "../ui/form";
import { Icon } from "../ui/icons";
import { ChangeProblem, useChange } from "./use_change";

interface TextMemberProps {
  name: string; // as people read it
  path: string;
  value: string | undefined;
  editable: boolean;
  rows?: number;
  onChange: () => Promise<unknown> | void;
}

export function TextMember(props: TextMemberProps) {
  const { name, value, editable } = props;
  const [editing, setEditing] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const left = useRef(false);
  useEffect(() => {
    if (left.current && !editing) button.current?.focus();
    left.current = editing;
  }, [editing]);
  if (editing) return <TextEditor {...props} onEnd={() => setEditing(false)} />;
  return (
    <div class="member">
      <div class="member-name">{name}</div>
      <div class={value ? "member-value" : "member-value muted"}>{value || "none"}</div>
      {editable && (
        <button
          ref={button}
          type="button"
          class="icon-button"
          aria-label={`Edit the ${name.toLowerCase()}`}
          onClick={() => setEditing(true)}
        >
          <Icon name="edit" />
        </button>
      )}
    </div>
  );
}

function TextEditor({ name, path, value, rows, onChange, onEnd }: TextMemberProps & { onEnd: () => void }) {
  const [seen] = useState(value); // the listing may be refreshed while somebody types
  const [text, setText] = useState(value ?? "");
  const frame = useRef<HTMLDivElement>(null);
  const done = () => {
    onEnd();
    void onChange();
  };
  const change = useChange(path, seen, `The ${name.toLowerCase()}`, done);
  // At once: what is typed next belongs to the field.
  useLayoutEffect(() => frame.current?.querySelector<HTMLElement>("input, textarea")?.focus(), []);
  const wanted = () => (text === "" ? undefined : text);
  const save = () => (wanted() === seen ? onEnd() : void change.save(wanted()));
  return (
    <div
      ref={frame}
      class="member-editor"
      onKeyDown={(event) => {
        if (event.key === "Escape") onEnd();
      }}
    >
      <Form onSubmit={save}>
        <TextField label={name} value={text} onInput={setText} rows={rows ?? 1} hint={`Without a text, the ${name.toLowerCase()} is deleted.`} />
        <ChangeProblem change={change} wanted={wanted} onDiscard={done} />
        <div class="button-row">
          <button type="submit" class="button primary small" disabled={change.busy}>Save</button>
          <button type="button" class="button small" onClick={onEnd}>Cancel</button>
        </div>
      </Form>
    </div>
  );
}
