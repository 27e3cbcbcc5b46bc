// Deletions in progress, and what has been deleted and can be restored.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { resourcePath, send } from "../api";
import { DeletionBar, DeletionState, describeDeletion, type DeleteRequest } from "../edit/deletion_progress";
import { useListing } from "../live";
import { href, replaceQuery } from "../router";
import type { PageProps } from "../page_props";
import { useMay } from "../session";
import { Confirm } from "../ui/dialog";
import { Page } from "../ui/page";
import { Empty, ErrorBox, StaleNote } from "../ui/states";
import { DataTable, type Column } from "../ui/table";
import { Age, Format, Id } from "../ui/text";
import { toast, toastError } from "../ui/toast";
import { formatDate } from "../ui/time";

const TABS = [["requests", "Delete requests"], ["flows", "Deleted flows"], ["sources", "Deleted sources"]] as const;

export default function Deletions({ query }: PageProps) {
  const isAdmin = useMay("admin");
  const tabs = TABS.filter(([name]) => name !== "requests" || isAdmin);
  const tab = tabs.find(([name]) => name === query.get("tab"))?.[0] ?? tabs[0]?.[0] ?? "flows";
  return (
    <Page title="Deletions" fill>
      <nav class="tabs" aria-label="Deletions">
        {tabs.map(([name, title]) => (
          <button
            key={name}
            type="button"
            class="tab"
            aria-current={tab === name ? "page" : undefined}
            onClick={() => replaceQuery({ tab: name === tabs[0]?.[0] ? null : name })}
          >
            {title}
          </button>
        ))}
      </nav>
      {tab === "requests" ? <Requests /> : <Deleted key={tab} kind={tab} />}
    </Page>
  );
}

const REQUEST_COLUMNS: readonly Column<DeleteRequest>[] = [
  { key: "state", title: "State", width: "92px", render: (request) => <DeletionState request={request} /> },
  {
    key: "what",
    title: "What",
    width: "minmax(150px, 1.4fr)",
    render: (request) =>
      request.source_id ? (
        <>source <span class="mono">{request.source_id.slice(0, 8)}</span></>
      ) : (
        <>{request.delete_flow ? "flow" : "segments of"} <a class="mono" href={href(`/flows/${request.flow_id}`)}>{request.flow_id.slice(0, 8)}</a></>
      ),
  },
  { key: "progress", title: "Progress", width: "120px", render: (request) => <DeletionBar request={request} /> },
  {
    key: "rest",
    title: "Remaining",
    width: "minmax(150px, 1.6fr)",
    render: (request) => <span title={request.error?.summary}>{request.error?.summary ?? describeDeletion(request)}</span>,
    narrow: "hide",
  },
  { key: "by", title: "By", width: "120px", render: (request) => request.created_by, narrow: "hide" },
  { key: "created", title: "Created", width: "104px", render: (request) => <Age date={request.created} />, narrow: "hide" },
  { key: "updated", title: "Updated", width: "104px", render: (request) => <Age date={request.updated} />, narrow: "hide" },
  { key: "id", title: "Id", width: "110px", render: (request) => <Id id={request.id} short />, narrow: "hide" },
];

function Requests() {
  const { items, complete, error, loadMore, reload } = useListing<DeleteRequest>("/flow-delete-requests", {}, { every: 2000 });
  return (
    <Rows error={error} count={items.length} reload={reload}>
      <DataTable
        label="Flow delete requests"
        columns={REQUEST_COLUMNS}
        rows={items}
        rowKey={(request) => request.id}
        complete={complete}
        onMore={loadMore}
        empty={<Empty title="Nothing is being deleted">Requests that are done stay here for some days.</Empty>}
      />
    </Rows>
  );
}

interface DeletedResource {
  id: string;
  label?: string;
  format: string;
  deleted?: string;
  deleted_by?: string;
  restorable_until?: string;
}

function Deleted({ kind }: { kind: "flows" | "sources" }) {
  const noun = kind === "flows" ? "flow" : "source";
  const { items, complete, error, loadMore, reload } = useListing<DeletedResource>(`/${kind}`, { deleted: true });
  const [doomed, setDoomed] = useState<DeletedResource | null>(null);
  const [busy, setBusy] = useState("");
  const restore = async (resource: DeletedResource) => {
    setBusy(resource.id);
    try {
      await send("POST", resourcePath(kind, resource.id, "restore"));
      toast(`The ${noun} ${resource.label ?? resource.id} is restored`);
      await reload();
    } catch (problem) {
      toastError(problem);
    } finally {
      setBusy("");
    }
  };
  const columns: readonly Column<DeletedResource>[] = [
    { key: "format", title: "Format", width: "76px", render: (each) => <Format urn={each.format} />, narrow: "hide" },
    { key: "label", title: "Label", width: "minmax(110px, 2fr)", render: (each) => each.label || <span class="muted">no label</span> },
    { key: "id", title: "Id", width: "110px", render: (each) => <Id id={each.id} short />, narrow: "hide" },
    { key: "deleted", title: "Deleted", width: "104px", render: (each) => <Age date={each.deleted} />, narrow: "hide" },
    { key: "by", title: "By", width: "120px", render: (each) => each.deleted_by, narrow: "hide" },
    { key: "until", title: "Restorable until", width: "180px", render: (each) => formatDate(each.restorable_until), narrow: "hide" },
    {
      key: "actions",
      title: "",
      width: "208px",
      align: "right",
      render: (each) => (
        <span class="cell-actions">
          <button type="button" class="button small" disabled={busy !== ""} aria-label={`Restore ${each.label ?? each.id}`} onClick={() => void restore(each)}>
            Restore
          </button>
          {kind === "flows" && (
            <button type="button" class="button small" aria-label={`Delete for good: ${each.label ?? each.id}`} onClick={() => setDoomed(each)}>
              Delete for good
            </button>
          )}
        </span>
      ),
    },
  ];
  return (
    <Rows error={error} count={items.length} reload={reload}>
      <DataTable
        label={`Deleted ${kind}`}
        columns={columns}
        rows={items}
        rowKey={(each) => each.id}
        complete={complete}
        onMore={loadMore}
        rowHeight={38}
        empty={
          <Empty title={`No ${noun} can be restored`}>
            What is deleted can be restored for the time that <code>TAMS_SOFT_DELETE_GRACE</code> sets. Without that setting,
            a deletion is final.
          </Empty>
        }
      />
      {doomed && (
        <Confirm
          title={`Delete ${doomed.label ?? doomed.id} for good`}
          action="Delete for good"
          danger
          onClose={() => setDoomed(null)}
          onConfirm={async () => {
            await send("DELETE", resourcePath("flows", doomed.id), { query: { deleted: true } });
            toast(`The flow ${doomed.label ?? doomed.id} is deleted for good`);
            await reload();
          }}
        >
          <p>The flow and its segments cannot be restored afterwards.</p>
        </Confirm>
      )}
    </Rows>
  );
}

function Rows(props: { error: unknown; count: number; reload: () => Promise<void>; children: ComponentChildren }) {
  if (props.error !== undefined && props.count === 0) return <ErrorBox error={props.error} retry={() => void props.reload()} />;
  return (
    <>
      <StaleNote error={props.error} />
      {props.children}
    </>
  );
}
