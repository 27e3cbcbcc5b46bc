// How to read the audit log. The server writes it and does not serve it: see docs/operations.md.
import { useState } from "preact/hooks";
import { SelectField, TextField } from "../ui/form";
import { Page, Section } from "../ui/page";
import { CopyButton, Facts } from "../ui/text";
import { shellQuoted } from "./shell";

const EVENTS = [
  ["request", "Changes"],
  ["login_failed", "Failed sign-ins"],
  ["credential", "Changes of credentials"],
  ["", "Everything"],
] as const;

export default function Audit() {
  const [file, setFile] = useState("/var/log/tams/audit.jsonl");
  const [event, setEvent] = useState<string>("request");
  const [principal, setPrincipal] = useState("");
  const [resource, setResource] = useState("");
  const [since, setSince] = useState("");
  const command = commandFor(file, { event, principal, resource, since });
  return (
    <Page title="Audit" subtitle="Who changed what, from where, with which result">
      <Section title="Where the record is">
        <div class="prose">
          <p>
            The server writes the audit log as one JSON object a line, to the file or stream that <code>TAMS_AUDIT_LOG</code>{" "}
            names; by default it writes none. All processes of a machine write to the same file, and each machine has its own.
          </p>
          <p>
            The console does not show the log. It is apart from the catalogue on purpose: who can change or read everything
            through the interface still cannot reach the record of what was done, and a record that only some servers have
            would look complete here. Collect the files of all servers where your other logs are.
          </p>
        </div>
      </Section>
      <Section title="Find entries">
        <div class="form">
          <div class="field-grid">
            <SelectField label="Entries" value={event} onChange={setEvent} options={EVENTS} />
            <TextField label="By" value={principal} onInput={setPrincipal} hint="The name of a credential" autocomplete="off" />
            <TextField label="Resource" value={resource} onInput={setResource} mono hint="The beginning of a path, such as /flows/…" autocomplete="off" />
            <TextField label="Since" value={since} onInput={setSince} mono placeholder="2026-11-30T08:00" hint="In UTC" autocomplete="off" />
            <TextField label="File" value={file} onInput={setFile} mono autocomplete="off" />
          </div>
          <p class="muted">Run this on the server:</p>
          <p class="command">
            <code>{command}</code>
            <CopyButton text={command} label="Copy the command" />
          </p>
        </div>
      </Section>
      <Section title="What an entry has">
        <Facts
          rows={[
            ["time", "when, in UTC"],
            ["event", "request, login_failed, credential, or begin"],
            ["principal", "the name of the credential, and its kind in credential"],
            ["address", "where the request came from"],
            ["operation", "with method and resource, the path"],
            ["status", "the result"],
            ["changes", "classes before and after, how many segments were deleted, the flow delete request"],
            ["request_id", "the same as in the other logs and in the response"],
          ]}
        />
      </Section>
    </Page>
  );
}

interface Wanted {
  event: string;
  principal: string;
  resource: string;
  since: string;
}

/** A command that finds entries, by jq. */
export function commandFor(file: string, { event, principal, resource, since }: Wanted): string {
  const tests = [
    event && `.event == ${JSON.stringify(event)}`,
    principal && `.principal == ${JSON.stringify(principal)}`,
    resource && `((.resource // "") | startswith(${JSON.stringify(resource)}))`,
    since && `.time >= ${JSON.stringify(since)}`,
  ].filter(Boolean);
  const filter = tests.length ? `select(${tests.join(" and ")})` : ".";
  return `jq -c ${shellQuoted(filter)} ${shellQuoted(file)}`;
}
