// The background jobs that are not done: what they are for, how old they are, and why they failed last.
import { useState } from "preact/hooks";
import { send } from "../api";
import { href, replaceQuery } from "../router";
import type { PageProps } from "../page_props";
import { Choice } from "../charts/chart_frame";
import { Dialog } from "../ui/dialog";
import { Page } from "../ui/page";
import { Empty, ErrorBox, StaleNote } from "../ui/states";
import { DataTable, type Column } from "../ui/table";
import { Age, Badge, CopyButton, Facts } from "../ui/text";
import { toast } from "../ui/toast";
import { shellQuoted } from "./shell";
import { usePaged } from "./paged";

interface Job {
  kind: string;
  key: string;
  state: "waiting" | "running" | "failed";
  created: string;
  due?: string;
  worker?: string;
  attempts: number;
  error?: string;
  webhook_id?: string;
  request_id?: string;
  flow_id?: string;
  object_id?: string;
  storage_id?: string;
}

const KINDS = [
  ["", "All kinds"],
  ["delivery", "Deliveries to webhooks"],
  ["flow-deletion", "Deletions of flows"],
  ["removal", "Removals of bytes"],
  ["copy", "Copies of objects"],
  ["segment-events", "Events of segments"],
] as const;
const STATES = [["", "All states"], ["waiting", "Waiting"], ["running", "Running"], ["failed", "Failed for good"]] as const;
const BADGES = { waiting: "plain", running: "busy", failed: "bad" } as const;

export default function Jobs({ query }: PageProps) {
  const kind = query.get("kind") ?? "";
  const state = query.get("state") ?? "";
  const { items, complete, error, loadMore, reload } = usePaged<Job>("/jobs", { kind, state });
  const [shown, setShown] = useState<Job | null>(null);
  const columns: readonly Column<Job>[] = [
    { key: "state", title: "State", width: "92px", render: (job) => <Badge kind={BADGES[job.state]}>{job.state}</Badge> },
    { key: "kind", title: "Kind", width: "116px", render: (job) => job.kind },
    { key: "subject", title: "For", width: "minmax(140px, 1.2fr)", render: (job) => <Subject job={job} />, narrow: "hide" },
    { key: "age", title: "Created", width: "104px", render: (job) => <Age date={job.created} /> },
    { key: "attempts", title: "Failures", width: "76px", align: "right", render: (job) => job.attempts || "", narrow: "hide" },
    { key: "error", title: "Last error", width: "minmax(140px, 2fr)", render: (job) => <span title={job.error}>{job.error}</span>, narrow: "hide" },
    {
      key: "more",
      title: "",
      width: "72px",
      render: (job) => (
        <button type="button" class="button small" aria-label={`Show the job ${job.kind} ${job.key}`} onClick={() => setShown(job)}>
          Show
        </button>
      ),
    },
  ];
  return (
    <Page title="Jobs" fill subtitle="Work that workers do after the request that caused it">
      <div class="filter-bar" role="search" aria-label="Filters">
        <Choice label="Kind" value={kind} options={KINDS} onChange={(value) => replaceQuery({ kind: value, state })} />
        <Choice label="State" value={state} options={STATES} onChange={(value) => replaceQuery({ kind, state: value })} />
      </div>
      <StaleNote error={items.length > 0 ? error : undefined} />
      {error !== undefined && items.length === 0 ? (
        <ErrorBox error={error} retry={() => void reload()} />
      ) : (
        <DataTable
          label="Jobs"
          columns={columns}
          rows={items}
          rowKey={(job) => `${job.kind} ${job.key}`}
          complete={complete}
          onMore={loadMore}
          rowHeight={38}
          empty={<Empty title={kind || state ? "No such jobs" : "All work is done"} />}
        />
      )}
      {shown && <JobDialog job={shown} onRetried={reload} onClose={() => setShown(null)} />}
    </Page>
  );
}

function Subject({ job }: { job: Job }) {
  if (job.object_id !== undefined) {
    return <>object <a class="mono" href={href(`/objects/${encodeURIComponent(job.object_id)}`)}>{job.object_id}</a></>;
  }
  if (job.webhook_id) return <>webhook <a class="mono" href={href("/webhooks")}>{job.webhook_id.slice(0, 8)}</a></>;
  if (job.request_id) return <>request <a class="mono" href={href("/deletions")}>{job.request_id.slice(0, 8)}</a></>;
  if (job.flow_id) return <>flow <a class="mono" href={href(`/flows/${job.flow_id}`)}>{job.flow_id.slice(0, 8)}</a></>;
  return <>backend <a class="mono" href={href("/storage")}>{job.storage_id?.slice(0, 8)}</a></>;
}

function JobDialog({ job, onRetried, onClose }: { job: Job; onRetried: () => Promise<void>; onClose: () => void }) {
  const discard = `tams-server jobs discard ${job.kind} ${shellQuoted(job.key)}`;
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const retry = async () => {
    setBusy(true);
    setError(null);
    try {
      await send("POST", "/jobs/retry", { body: { kind: job.kind, key: job.key } });
      toast("The job is due now");
      onClose();
      await onRetried();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={`Job: ${job.kind}`}
      wide
      onClose={onClose}
      actions={
        <>
          <button type="button" class="button" onClick={onClose}>Close</button>
          {job.state !== "running" && (
            <button type="button" class="button primary" disabled={busy} onClick={() => void retry()}>Retry now</button>
          )}
        </>
      }
    >
      <Facts
        rows={[
          ["State", <Badge kind={BADGES[job.state]}>{job.state}</Badge>],
          ["For", <Subject job={job} />],
          ["Key", <span class="mono">{job.key}</span>],
          ["Created", <Age date={job.created} />],
          [job.state === "running" ? "Held until" : "Due", job.due && <Age date={job.due} />],
          ["Worker", job.worker],
          ["Failures in a row", String(job.attempts)],
          ["Storage backend", job.storage_id && <span class="mono">{job.storage_id}</span>],
        ]}
      />
      {job.error && <div class="error-box"><p class="error-text">{job.error}</p></div>}
      {error !== null && <ErrorBox error={error} />}
      <div class="commands">
        <p class="muted">Operators give up a job on the server:</p>
        <p class="command">
          <code>{discard}</code>
          <CopyButton text={discard} label="Copy the command" />
        </p>
      </div>
    </Dialog>
  );
}
