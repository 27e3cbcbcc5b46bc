// A source: what it is, its flows, and the collections it is part of.
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { resourcePath } from "../api";
import { DeletePanel } from "../edit/delete_panel";
import { EditPanel } from "../edit/edit_panel";
import { useListing, useResource } from "../live";
import type { PageProps } from "../page_props";
import type { Flow, Source } from "../types";
import { Page, Section } from "../ui/page";
import { Empty, ErrorBox, Loading, StaleNote } from "../ui/states";
import { DataTable } from "../ui/table";
import { By, Facts, Format, Id } from "../ui/text";
import { readCollectionGraph, type CollectionGraph } from "./collection_graph";
import { FLOW_COLUMNS } from "./flow_columns";
import { SourcePlayer } from "./source_player";

export default function SourcePage({ params }: PageProps) {
  const path = resourcePath("sources", params["id"] ?? "");
  const { data: source, error, reload } = useResource<Source>(path);
  if (!source) return error ? <ErrorBox error={error} retry={() => void reload()} /> : <Loading />;
  return (
    <Page
      title={source.label || "Source without a label"}
      documentTitle={source.label || source.id}
      crumbs={[["Sources", "/sources"]]}
      subtitle={
        <>
          <Format urn={source.format} /> <Id id={source.id} />
        </>
      }
    >
      <StaleNote error={error} />
      <SourcePlayer key={source.id} id={source.id} />
      <div class="columns">
        <Section title="About">
          <Facts
            rows={[
              ["Created", <By key="created" date={source.created} name={source.created_by} />],
              ["Updated", source.updated && <By key="updated" date={source.updated} name={source.updated_by} />],
              ["Collects", source.source_collection?.length],
              ["Collected by", source.collected_by?.length || undefined],
            ]}
          />
        </Section>
        <EditPanel kind="sources" id={source.id} document={source} onChange={reload} />
      </div>
      <Collections source={source} />
      <FlowsOfSource id={source.id} />
      <DeletePanel kind="sources" id={source.id} document={source} />
    </Page>
  );
}

type View = ComponentType<{ graph: CollectionGraph; current: string }>;

function Collections({ source }: { source: Source }) {
  const [found, setFound] = useState<{ graph: CollectionGraph; View: View } | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [attempt, setAttempt] = useState(0);
  const state = JSON.stringify([source.id, source.label, source.source_collection, source.collected_by]);
  useEffect(() => {
    const abort = new AbortController();
    Promise.all([readCollectionGraph(source, abort.signal), import("./graph_view")]).then(
      ([graph, { GraphView }]) => {
        if (abort.signal.aborted) return;
        setFound({ graph, View: GraphView });
        setError(null);
      },
      (problem: unknown) => {
        if (!abort.signal.aborted) setError(problem);
      },
    );
    return () => abort.abort();
  }, [state, attempt]);
  return (
    <Section title="Collections">
      {error !== null && <ErrorBox error={error} retry={() => setAttempt(attempt + 1)} />}
      {error === null && !found && <Loading />}
      {found?.graph.truncated && <p class="muted">The nearest sources of a larger graph.</p>}
      {found && found.graph.nodes.length < 2 && <Empty title="This source is in no collection, and has no flows" />}
      {found && found.graph.nodes.length >= 2 && <found.View graph={found.graph} current={source.id} />}
    </Section>
  );
}

function FlowsOfSource({ id }: { id: string }) {
  const { items, complete, error, loadMore, reload } = useListing<Flow>("/flows", { source_id: id });
  return (
    <Section title="Flows">
      {error !== undefined && items.length === 0 ? (
        <ErrorBox error={error} retry={() => void reload()} />
      ) : (
        <DataTable
          label="Flows of the source"
          columns={FLOW_COLUMNS}
          rows={items}
          rowKey={(flow) => flow.id}
          rowHref={(flow) => `/flows/${flow.id}`}
          complete={complete}
          onMore={loadMore}
          empty={<Empty title="This source has no flows" />}
        />
      )}
    </Section>
  );
}
