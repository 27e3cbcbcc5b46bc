// Sources or flows whose label contains a text: shown where the listing finds none that has exactly this label.
import { useEffect, useState } from "preact/hooks";
import { ApiError, getJson } from "../api";
import { href } from "../router";
import { Empty, ErrorBox, Loading } from "../ui/states";
import { Format } from "../ui/text";

type Kind = "flows" | "sources";
type Row = { id: string; label: string; format: string };
type Found = { rows: Row[]; truncated: boolean } | "unavailable";

const MOST = 100;
const ID_COLUMN: Record<Kind, string> = { flows: "flow_id", sources: "source_id" };

export function SimilarLabels({ kind, text }: { kind: Kind; text: string }) {
  const [found, setFound] = useState<Found | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    const abort = new AbortController();
    setFound(null);
    setError(null);
    search(kind, text, abort.signal).then(setFound, (problem: unknown) => {
      if (!abort.signal.aborted) setError(problem);
    });
    return () => abort.abort();
  }, [kind, text]);
  if (error !== null) return <ErrorBox error={error} />;
  if (found === null) return <Loading label="Searching labels" />;
  if (found === "unavailable") return <Empty title={`No ${kind} have exactly this label`} />;
  if (found.rows.length === 0) return <Empty title={`No ${kind} have a label that contains this`} />;
  return (
    <section class="similar" aria-label="Similar labels">
      <h2>
        No {kind} have exactly this label. Labels that contain it:
      </h2>
      <ul class="line-list">
        {found.rows.map(({ id, label, format }) => (
          <li key={id}>
            <Format urn={format} />
            <a href={href(`/${kind}/${id}`)}><bdi>{label}</bdi></a>
            <span class="mono muted">{id.slice(0, 8)}</span>
          </li>
        ))}
      </ul>
      {found.truncated && <p class="muted">The first {MOST} by label.</p>}
    </section>
  );
}

/** Ask analytics, which a server may be without. */
async function search(kind: Kind, text: string, signal: AbortSignal): Promise<Found> {
  const quoted = `'${text.toLowerCase().replaceAll("'", "''")}'`;
  const sql =
    `SELECT ${ID_COLUMN[kind]} AS id, label, format FROM ${kind} ` +
    `WHERE contains(lower(label), ${quoted}) ORDER BY label, id LIMIT ${MOST + 1}`;
  try {
    const { rows } = await getJson<{ rows: Row[] }>("/analytics/sql", { query: { sql }, signal });
    return { rows: rows.slice(0, MOST), truncated: rows.length > MOST };
  } catch (error) {
    if (error instanceof ApiError && error.status === 501) return "unavailable";
    throw error;
  }
}
