// Answers of analytics: read, and shown as tables.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError, getJson } from "../api";
import { href, queryText, type Query } from "../router";
import { Empty, ErrorBox, Loading } from "../ui/states";
import { formatBytes, formatCount, formatDate, formatDuration } from "../ui/time";

export type Row = Record<string, string | number | boolean | null>;

export interface Answer {
  columns: { name: string; type: string }[];
  rows: Row[];
  truncated: boolean;
}

export interface Asked {
  data: Answer | undefined;
  error: unknown;
  reload: () => void;
}

// The server answers one question at a time and lets few wait: the console asks the next when it has an answer.
let last: Promise<unknown> = Promise.resolve();

function inTurn<T>(ask: () => Promise<T>): Promise<T> {
  const mine = last.then(ask);
  last = mine.catch(() => undefined);
  return mine;
}

function useAnswer(where: string | null): Asked {
  const [state, setState] = useState<{ where: string | null; data?: Answer; error?: unknown }>({ where: null });
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    if (where === null) return;
    const abort = new AbortController();
    const ask = async () => {
      if (abort.signal.aborted) return;
      const data = await getJson<Answer>(where, { signal: abort.signal });
      if (!abort.signal.aborted) setState({ where, data });
    };
    inTurn(ask).catch((error: unknown) => {
      if (!abort.signal.aborted) setState({ where, error });
    });
    return () => abort.abort();
  }, [where, attempt]);
  const mine = state.where === where;
  return { data: mine ? state.data : undefined, error: mine ? state.error : undefined, reload: () => setAttempt(attempt + 1) };
}

/** The answer to a question, which is asked once. question: null while it is not needed. */
export function useQuestion(question: string | null, query: Query = {}): Asked {
  return useAnswer(question === null ? null : `/analytics/questions/${question}${queryText(query)}`);
}

/** The answer to a SELECT over the views. */
export function useSql(sql: string | null): Asked {
  return useAnswer(sql === null ? null : `/analytics/sql${queryText({ sql })}`);
}

/** What stands in place of an answer that is not there (yet); null if it is. */
export function missingAnswer(answer: Asked): ComponentChildren {
  if (answer.data) return null;
  if (answer.error === undefined) return <Loading label="Asking" />;
  if (answer.error instanceof ApiError && answer.error.status === 501) return <AnalyticsMissing error={answer.error} />;
  return <ErrorBox error={answer.error} retry={() => answer.reload()} />;
}

export function AnalyticsMissing({ error }: { error: ApiError }) {
  return (
    <Empty title="This server answers no questions about its whole catalogue">
      <p>{error.message}</p>
      <p>
        The packages are those of the extra <code>analytics</code>: <code>pip install 'tams-server[analytics]'</code>. The
        setting <code>TAMS_ANALYTICS</code> must not be off.
      </p>
    </Empty>
  );
}

export function AnswerTable({ answer, label }: { answer: Answer; label: string }) {
  if (answer.rows.length === 0) return <p class="muted">Nothing.</p>;
  return (
    <table class="plain-table answer-table" aria-label={label}>
      <thead>
        <tr>
          {answer.columns.map(({ name, type }) => (
            <th key={name} scope="col" class={isNumber(type) ? "right" : undefined}>{name.replace(/_ns$/, "").replaceAll("_", " ")}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {answer.rows.map((row, index) => (
          <tr key={index}>
            {answer.columns.map(({ name, type }) => (
              <td key={name} class={isNumber(type) ? "right" : undefined}>{cell(name, type, row[name] ?? null)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function isNumber(type: string): boolean {
  return type === "integer" || type === "double";
}

const PAGES: Record<string, string> = { flow_id: "/flows/", source_id: "/sources/", object_id: "/objects/", profile_id: "/profiles/" };

function cell(name: string, type: string, value: string | number | boolean | null): ComponentChildren {
  if (value === null) return <span class="muted">–</span>;
  const page = PAGES[name];
  if (page) return <a class="mono" href={href(page + encodeURIComponent(String(value)))}>{value}</a>;
  if (name.endsWith("_id")) return <span class="mono">{value}</span>;
  if (type === "timestamp") return formatDate(String(value));
  if (name.startsWith("bytes")) return <span title={`${formatCount(Number(value))} bytes`}>{formatBytes(Number(value))}</span>;
  if (name.endsWith("_ns") && name !== "first_ns" && name !== "last_ns") return formatDuration(BigInt(Math.round(Number(value))));
  if (isNumber(type)) return formatCount(Number(value));
  return String(value);
}

export function numberOf(row: Row, name: string): number {
  return Number(row[name] ?? 0);
}

export function textOf(row: Row, name: string): string {
  return String(row[name] ?? "");
}
