// Requests that broke the schemas: counted by operation, rule, client and day.
import { useEffect, useState } from "preact/hooks";
import { Bars } from "../charts/bars";
import { ChartFrame, Choice } from "../charts/chart_frame";
import { replaceQuery } from "../router";
import type { PageProps } from "../page_props";
import { Page, Section } from "../ui/page";
import { Empty, ErrorBox } from "../ui/states";
import { DataTable, type Column } from "../ui/table";
import { Age, Badge } from "../ui/text";
import { formatCount } from "../ui/time";
import { usePaged } from "./paged";

interface Violations {
  day: string;
  outcome: "rejected" | "accepted";
  operation: string;
  schema_path: string;
  client: string;
  requests: number;
  first: string;
  last: string;
}

const GROUPS = [["operation", "By operation"], ["schema_path", "By rule"], ["client", "By client"], ["day", "By day"]] as const;
type Group = (typeof GROUPS)[number][0];
const OUTCOMES = [["", "Rejected and accepted"], ["rejected", "Rejected"], ["accepted", "Accepted all the same"]] as const;
const FILTERS = ["from", "to", "outcome", "operation", "schema_path", "client"] as const;
const OTHERS = "others, without room of their own";

export default function Compliance({ query }: PageProps) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  const [group, setGroup] = useState<Group>("operation");
  const { items, complete, error, loadMore, reload } = usePaged<Violations>("/compliance", { limit: 1000, ...filters }, 15_000);
  const set = (name: string, value: string) => replaceQuery({ ...filters, [name]: value });
  const columns: readonly Column<Violations>[] = [
    { key: "day", title: "Day", width: "100px", render: (each) => each.day },
    {
      key: "outcome",
      title: "Outcome",
      width: "100px",
      render: (each) => <Badge kind={each.outcome === "rejected" ? "plain" : "busy"}>{each.outcome}</Badge>,
      narrow: "hide",
    },
    { key: "operation", title: "Operation", width: "minmax(120px, 1fr)", render: (each) => each.operation || OTHERS },
    { key: "rule", title: "Rule", width: "minmax(160px, 2fr)", render: (each) => <span class="mono" title={each.schema_path}>{shortRule(each.schema_path)}</span>, narrow: "hide" },
    { key: "client", title: "Client", width: "minmax(90px, 0.8fr)", render: (each) => each.client, narrow: "hide" },
    { key: "requests", title: "Requests", width: "80px", align: "right", render: (each) => formatCount(each.requests) },
    { key: "last", title: "Last", width: "100px", render: (each) => <Age date={each.last} />, narrow: "hide" },
  ];
  const groups = grouped(items, group);
  return (
    <Page title="Compliance" subtitle="Requests that broke the published schemas">
      <div class="filter-bar" role="search" aria-label="Filters">
        <DayFilter name="from" label="From" value={filters["from"] ?? ""} onChange={set} />
        <DayFilter name="to" label="To" value={filters["to"] ?? ""} onChange={set} />
        <Choice label="Outcome" value={filters["outcome"] ?? ""} options={OUTCOMES} onChange={(value) => set("outcome", value)} />
        {(["operation", "schema_path", "client"] as const).map((name) =>
          filters[name] ? (
            <button key={name} type="button" class="button" onClick={() => set(name, "")} aria-label={`Remove the filter ${filters[name]}`}>
              {shortRule(filters[name] ?? "")} ×
            </button>
          ) : null,
        )}
      </div>
      {error !== undefined && <ErrorBox error={error} retry={() => void reload()} />}
      <ChartFrame
        title="Requests"
        controls={<Choice label="Group" value={group} options={GROUPS} onChange={(value) => setGroup(value as Group)} />}
        chart={
          groups.length === 0 ? (
            <p class="muted">{complete ? "No request broke a schema." : "…"}</p>
          ) : (
            <Bars
              label={`Requests that broke a schema, ${GROUPS.find(([each]) => each === group)?.[1].toLowerCase()}`}
              bars={groups.slice(0, 20).map(([name, count]) => ({
                key: name,
                label:
                  group === "day" || !name ? (
                    name || OTHERS
                  ) : (
                    <button type="button" class="link-button" title={`Only ${name}`} onClick={() => set(group, name)}>{shortRule(name)}</button>
                  ),
                value: count,
                text: formatCount(count),
                hint: name,
              }))}
            />
          )
        }
        table={
          <table class="plain-table" aria-label="Requests that broke a schema">
            <thead><tr><th scope="col">{GROUPS.find(([each]) => each === group)?.[1]}</th><th scope="col" class="right">Requests</th></tr></thead>
            <tbody>
              {groups.map(([name, count]) => (
                <tr key={name}><td class="mono">{name || OTHERS}</td><td class="right">{formatCount(count)}</td></tr>
              ))}
            </tbody>
          </table>
        }
        note={!complete && items.length > 0 && `Of the latest ${formatCount(items.length)} counts; scroll down the list to read more.`}
      />
      <Section title="Counts">
        <DataTable
          label="Counts of violations"
          columns={columns}
          rows={items}
          rowKey={(each) => `${each.day} ${each.outcome} ${each.operation} ${each.schema_path} ${each.client}`}
          complete={complete}
          onMore={loadMore}
          empty={<Empty title="No request broke a schema" />}
        />
      </Section>
    </Page>
  );
}

/** A pointer without the beginning that all have. */
function shortRule(path: string): string {
  return path.replace(/^#\/components\/schemas\//, "");
}

function grouped(items: readonly Violations[], group: Group): [name: string, requests: number][] {
  const found = new Map<string, number>();
  for (const each of items) found.set(each[group], (found.get(each[group]) ?? 0) + each.requests);
  const rows = [...found];
  return group === "day" ? rows.sort(([one], [other]) => other.localeCompare(one)) : rows.sort(([, one], [, other]) => other - one);
}

interface DayFilterProps {
  name: string;
  label: string;
  value: string;
  onChange: (name: string, value: string) => void;
}

function DayFilter({ name, label, value, onChange }: DayFilterProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return (
    <label class="day-filter">
      {label}
      <input
        class="input"
        type="date"
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          onChange(name, event.currentTarget.value);
        }}
      />
    </label>
  );
}
