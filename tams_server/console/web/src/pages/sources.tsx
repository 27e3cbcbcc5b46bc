// All sources: searched by label, filtered by format and tag, sorted, page by page.
import { useListing } from "../live";
import { href, replaceQuery } from "../router";
import type { PageProps } from "../page_props";
import type { Source } from "../types";
import { Page } from "../ui/page";
import { Empty, ErrorBox, StaleNote } from "../ui/states";
import { DataTable, type Column } from "../ui/table";
import { TagList } from "../ui/tags";
import { Age, Format, Id } from "../ui/text";
import { FilterBar, listingQuery, nextSort, onlyLabel, sortOf } from "./filters";
import { SimilarLabels } from "./similar_labels";

const COLUMNS: readonly Column<Source>[] = [
  { key: "format", title: "Format", width: "76px", render: (source) => <Format urn={source.format} /> },
  {
    key: "label",
    title: "Label",
    width: "minmax(160px, 2.4fr)",
    sort: "label",
    render: (source) => <a href={href(`/sources/${source.id}`)}>{source.label || <span class="muted">no label</span>}</a>,
  },
  { key: "id", title: "Id", width: "104px", render: (source) => <Id id={source.id} short />, narrow: "hide" },
  {
    key: "members",
    title: "Collects",
    width: "84px",
    align: "right",
    render: (source) => source.source_collection?.length,
    narrow: "hide",
  },
  { key: "tags", title: "Tags", width: "minmax(120px, 2fr)", render: (source) => <TagList tags={source.tags} most={3} />, narrow: "hide" },
  { key: "updated", title: "Updated", width: "104px", sort: "updated", render: (source) => <Age date={source.updated} />, narrow: "hide" },
  { key: "created", title: "Created", width: "104px", sort: "created", render: (source) => <Age date={source.created} /> },
];

export default function Sources({ query }: PageProps) {
  const { items, complete, error, loadMore, reload } = useListing<Source>("/sources", listingQuery(query));
  const similar = onlyLabel(query);
  return (
    <Page title="Sources" fill>
      <FilterBar query={query} />
      <StaleNote error={items.length > 0 ? error : undefined} />
      {error !== undefined && items.length === 0 ? (
        <ErrorBox error={error} retry={() => void reload()} />
      ) : (
        <DataTable
          label="Sources"
          columns={COLUMNS}
          rows={items}
          rowKey={(source) => source.id}
          rowHref={(source) => `/sources/${source.id}`}
          complete={complete}
          onMore={loadMore}
          sort={sortOf(query)}
          onSort={(by) => replaceQuery(nextSort(query, by))}
          empty={similar ? <SimilarLabels kind="sources" text={similar} /> : <Empty title="No sources match" />}
        />
      )}
    </Page>
  );
}
