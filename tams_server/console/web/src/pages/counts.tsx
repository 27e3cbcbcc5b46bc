// How many sources and flows there are, by format: by analytics where the server has it, else by a page of the listing.
import { useEffect, useState } from "preact/hooks";
import { ApiError, getJson, request } from "../api";
import { useRefresh } from "../live";
import { href } from "../router";
import { ErrorBox } from "../ui/states";
import { FORMAT_OPTIONS } from "../ui/text";
import { formatCount } from "../ui/time";

interface Count {
  count: number;
  exact: boolean; // otherwise there are more
}

interface Found {
  flows: Count;
  sources: Count;
  byFormat: Map<string, number>;
}

const SQL =
  "SELECT 'flows' AS kind, format, count(*) AS n FROM flows GROUP BY format " +
  "UNION ALL SELECT 'sources', format, count(*) FROM sources GROUP BY format";
const REFRESH_MS = 60_000;
const MOST = 1000;

export function Counts() {
  const [found, setFound] = useState<Found | null>(null);
  const [error, setError] = useState<unknown>(null);
  const read = async () => {
    try {
      setFound(await readCounts());
      setError(null);
    } catch (problem) {
      setError(problem);
    }
  };
  useEffect(() => void read(), []);
  useRefresh(read, REFRESH_MS);
  if (error !== null && !found) return <ErrorBox error={error} retry={() => void read()} />;
  return (
    <div class="counts">
      <Tile title="Sources" path="/sources" count={found?.sources} />
      <Tile title="Flows" path="/flows" count={found?.flows} />
      {FORMAT_OPTIONS.map(([urn, name]) => {
        const count = found?.byFormat.get(urn);
        if (!count) return null;
        return (
          <a key={urn} class={`count format-${name}`} href={href("/flows", { format: urn })}>
            <span class="count-value">{formatCount(count)}</span>
            <span class="count-name">{name} flows</span>
          </a>
        );
      })}
    </div>
  );
}

function Tile({ title, path, count }: { title: string; path: string; count: Count | undefined }) {
  return (
    <a class="count" href={href(path)}>
      <span class="count-value">{count ? formatCount(count.count) + (count.exact ? "" : "+") : "…"}</span>
      <span class="count-name">{title.toLowerCase()}</span>
    </a>
  );
}

async function readCounts(): Promise<Found> {
  try {
    const { rows } = await getJson<{ rows: { kind: string; format: string; n: number }[] }>("/analytics/sql", {
      query: { sql: SQL },
    });
    const total = (kind: string) => ({
      count: rows.filter((row) => row.kind === kind).reduce((sum, row) => sum + row.n, 0),
      exact: true,
    });
    const flows = rows.filter((row) => row.kind === "flows");
    return { flows: total("flows"), sources: total("sources"), byFormat: new Map(flows.map((row) => [row.format, row.n])) };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status === 401 || error.status === 0) throw error;
    const [flows, sources] = await Promise.all([countPage("/flows"), countPage("/sources")]);
    return { flows, sources, byFormat: new Map() };
  }
}

async function countPage(path: string): Promise<Count> {
  const { headers } = await request("HEAD", path, { query: { limit: MOST } });
  return { count: Number(headers.get("X-Paging-Count")), exact: !headers.get("Link")?.includes("next") };
}
