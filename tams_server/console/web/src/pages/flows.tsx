// All flows: searched by label, filtered by format, codec and tag, sorted, page by page.
import { useListing } from "../live";
import { replaceQuery } from "../router";
import type { PageProps } from "../page_props";
import type { Flow } from "../types";
import { Page } from "../ui/page";
import { Empty, ErrorBox, StaleNote } from "../ui/states";
import { DataTable } from "../ui/table";
import { FilterBar, listingQuery, nextSort, onlyLabel, sortOf } from "./filters";
import { FLOW_COLUMNS } from "./flow_columns";
import { SimilarLabels } from "./similar_labels";

export default function Flows({ query }: PageProps) {
  const { items, complete, error, loadMore, reload } = useListing<Flow>("/flows", listingQuery(query));
  const similar = onlyLabel(query);
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
          empty={similar ? <SimilarLabels kind="flows" text={similar} /> : <Empty title="No flows match" />}
        />
      )}
    </Page>
  );
}
