// What people may change of a source or flow: label, description, tags, and whether a flow is read-only.
import { resourcePath } from "../api";
import { useMay } from "../session";
import { Icon } from "../ui/icons";
import { Section } from "../ui/page";
import type { Tags } from "../ui/tags";
import { TagMembers } from "./tag_members";
import { TextMember } from "./text_member";
import { ChangeProblem, useChange } from "./use_change";

export type EditableKind = "sources" | "flows";

export interface EditableDocument {
  label?: string;
  description?: string;
  tags?: Tags;
  read_only?: boolean;
}

interface EditPanelProps {
  kind: EditableKind;
  id: string;
  document: EditableDocument; // as the server has it
  onChange: () => Promise<unknown> | void; // reads it again
}

/** The descriptive members, which callers with the scope write can change in place. */
export function EditPanel({ kind, id, document, onChange }: EditPanelProps) {
  const mayWrite = useMay("write");
  const path = resourcePath(kind, id);
  const readOnly = kind === "flows" && document.read_only === true;
  const shared = { editable: mayWrite && !readOnly, onChange };
  return (
    <Section title="Description and tags">
      <div class="members">
        <TextMember {...shared} name="Label" path={`${path}/label`} value={document.label} />
        <TextMember {...shared} name="Description" path={`${path}/description`} value={document.description} rows={4} />
        <TagMembers {...shared} path={path} tags={document.tags} />
        {kind === "flows" && <ReadOnly path={`${path}/read_only`} value={readOnly} editable={mayWrite} onChange={onChange} />}
      </div>
    </Section>
  );
}

interface ReadOnlyProps {
  path: string;
  value: boolean;
  editable: boolean;
  onChange: () => Promise<unknown> | void;
}

function ReadOnly({ path, value, editable, onChange }: ReadOnlyProps) {
  const done = () => void onChange();
  const change = useChange(path, value, "The setting", done);
  return (
    <div class="member">
      <div class="member-name">Read-only</div>
      <div class="member-value">
        {value ? (
          <span class="protected"><Icon name="lock" /> Nobody can change or delete the flow and its segments.</span>
        ) : (
          <span class="muted">no</span>
        )}
        <ChangeProblem
          change={change}
          wanted={() => !value}
          onDiscard={() => {
            change.clear();
            done();
          }}
        />
      </div>
      {editable && (
        <button type="button" class="button small" disabled={change.busy} onClick={() => void change.save(!value)}>
          {value ? "Allow changes" : "Make read-only"}
        </button>
      )}
    </div>
  );
}
