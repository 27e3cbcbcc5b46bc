// All flows: searched by label, filtered by format, codec and tag, sorted, page by page.
import { useListing } from "../live";
import { href } from "../router";
import type { PageProps } from "../routes";
import type { Flow } from "../types";
import { Page } from "../ui/page";
import { Empty, ErrorBox, StaleNote } from "../ui/states";
import { DataTable, type Column } from "../ui/table";
import { TagList } from "../ui/tags";
import { Age, Format, Id } from "../ui/text";
import { formatRate } from "../ui/time";
import { FilterBar, listingQuery, nextSort, sortOf } from "./filters";
import { replaceQuery } from "../router";

export const FLOW_COLUMNS: readonly Column<Flow>[] = [
  { key: "format", title: "Format", width: "76px", render: (flow) => <Format urn={flow.format} /> },
  {
    key: "label",
    title: "Label",
    width: "minmax(160px, 2.4fr)",
    sort: "label",
    render: (flow) => <a href={href(`/flows/${flow.id}`)}>{flow.label || <span class="muted">no label</span>}</a>,
  },
  { key: "id", title: "Id", width: "104px", render: (flow) => <Id id={flow.id} short />, narrow: "hide" },
  { key: "codec", title: "Codec", width: "minmax(90px, 1fr)", render: (flow) => flow.codec, narrow: "hide" },
  {
    key: "rate",
    title: "Bit rate",
    width: "100px",
    align: "right",
    render: (flow) => flow.avg_bit_rate !== undefined && formatRate(flow.avg_bit_rate * 1000),
    narrow: "hide",
  },
  { key: "tags", title: "Tags", width: "minmax(120px, 2fr)", render: (flow) => <TagList tags={flow.tags} most={3} />, narrow: "hide" },
  { key: "created", title: "Created", width: "104px", sort: "created", render: (flow) => <Age date={flow.created} /> },
];

export default function Flows({ query }: PageProps) {
  const { items, complete, error, loadMore, reload } = useListing<Flow>("/flows", listingQuery(query));
  return (
    <Page title="Flows" fill>
      <FilterBar query={query} codec />
      <StaleNote error={items.length > 0 ? error : undefined} />
      {error !== undefined && items.length === 0 ? (
        <ErrorBox error={error} retry={() => void reload()} />
      ) : (
        <DataTable
          label="Flows"
          columns={FLOW_COLUMNS}
          rows={items}
          rowKey={(flow) => flow.id}
          rowHref={(flow) => `/flows/${flow.id}`}
          complete={complete}
          onMore={loadMore}
          sort={sortOf(query)}
          onSort={(by) => replaceQuery(nextSort(query, by))}
          empty={<Empty title="No flows match" />}
        />
      )}
    </Page>
  );
}
