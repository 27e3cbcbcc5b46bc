// A source: what it is, its flows, and the collections it is part of.
import { useListing, useResource } from "../live";
import { resourcePath } from "../api";
import type { PageProps } from "../routes";
import { useMay } from "../session";
import type { Flow, Source } from "../types";
import { Page, Section } from "../ui/page";
import { Empty, ErrorBox, Loading, StaleNote } from "../ui/states";
import { DataTable } from "../ui/table";
import { TagsEditor } from "../ui/tags";
import { Age, Facts, Format, Id } from "../ui/text";
import { FLOW_COLUMNS } from "./flows";

export default function SourcePage({ params }: PageProps) {
  const path = resourcePath("sources", params["id"] ?? "");
  const { data: source, error, reload } = useResource<Source>(path);
  const mayWrite = useMay("write");
  if (!source) return error ? <ErrorBox error={error} retry={() => void reload()} /> : <Loading />;
  return (
    <Page
      title={source.label || "Source without a label"}
      crumbs={[["Sources", "/sources"]]}
      subtitle={<><Format urn={source.format} /> <Id id={source.id} /></>}
    >
      <StaleNote error={error} />
      <div class="columns">
        <Section title="About">
          <Facts
            rows={[
              ["Description", source.description],
              ["Created", <><Age date={source.created} />{source.created_by && ` by ${source.created_by}`}</>],
              ["Updated", source.updated && <><Age date={source.updated} />{source.updated_by && ` by ${source.updated_by}`}</>],
            ]}
          />
        </Section>
        <Section title="Tags">
          <TagsEditor tags={source.tags} path={path} editable={mayWrite} onChange={reload} />
        </Section>
      </div>
      <FlowsOfSource id={source.id} />
    </Page>
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
