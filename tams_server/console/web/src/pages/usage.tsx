// Charts of what is stored and what arrives, from the questions of analytics.
import { useState } from "preact/hooks";
import { AnswerTable, missingAnswer, numberOf, textOf, useQuestion, useSql, type Answer, type Row } from "../charts/answers";
import { Bars, type Bar } from "../charts/bars";
import { ChartFrame, Choice } from "../charts/chart_frame";
import { Columns, type TimeColumn } from "../charts/columns";
import { useResource } from "../live";
import { href } from "../router";
import type { StorageBackend } from "../types";
import { TextField } from "../ui/form";
import { Page } from "../ui/page";
import { formatName } from "../ui/text";
import { formatBytes, formatCount } from "../ui/time";

export default function Usage() {
  const probe = useQuestion("hours-by-format");
  const missing = missingAnswer(probe);
  if (missing) return <Page title="Usage">{missing}</Page>;
  return (
    <Page title="Usage">
      <Stored />
      <Ingest />
      <Formats answer={probe.data!} />
      <OtherQuestions />
    </Page>
  );
}

type Measure = "bytes" | "hours";

const GROUPS = [["source", "By source"], ["flow", "By flow"], ["backend", "By backend"]] as const;
const MEASURES = [["bytes", "Bytes"], ["hours", "Hours"]] as const;
const MOST = 20;

function formatMeasure(measure: Measure, value: number): string {
  return measure === "bytes" ? formatBytes(value) : `${formatCount(Number(value.toPrecision(3)))} h`;
}

function hoursOf(row: Row): number {
  return numberOf(row, "duration_ns") / 3.6e12; // the column `hours` is rounded
}

function measureOf(row: Row, measure: Measure): number {
  return measure === "bytes" ? numberOf(row, "bytes") : hoursOf(row);
}

function Stored() {
  const [group, setGroup] = useState("source");
  const [measure, setMeasure] = useState<Measure>("bytes");
  const answer = useQuestion(`usage-by-${group}`);
  const rows = [...(answer.data?.rows ?? [])].sort((one, other) => measureOf(other, measure) - measureOf(one, measure));
  const shown = rows.slice(0, MOST);
  const names = useNames(group, shown);
  const unsized = rows.reduce((sum, row) => sum + numberOf(row, "objects_without_size"), 0);
  const bars: Bar[] = shown.map((row) => {
    const id = textOf(row, `${group === "backend" ? "storage" : group}_id`);
    const text = names[id] || id.slice(0, 8);
    return {
      key: id,
      label: group === "backend" ? text : <a href={href(`/${group}s/${id}`)}>{text}</a>,
      value: measureOf(row, measure),
      text: formatMeasure(measure, measureOf(row, measure)),
      hint: id,
    };
  });
  return (
    <ChartFrame
      title="What is stored"
      controls={
        <>
          <Choice label="Group" value={group} options={GROUPS} onChange={setGroup} />
          <Choice label="Measure" value={measure} options={MEASURES} onChange={(value) => setMeasure(value as Measure)} />
        </>
      }
      chart={missingAnswer(answer) ?? (bars.length === 0 ? <p class="muted">Nothing is stored.</p> : <Bars label={`What is stored, by ${group}`} bars={bars} />)}
      table={missingAnswer(answer) ?? <AnswerTable answer={answer.data!} label={`What is stored, by ${group}`} />}
      note={
        <>
          {rows.length > MOST && `The chart has the ${MOST} greatest of ${formatCount(rows.length)}. `}
          {unsized > 0 && `Bytes are those of sizes that the server knows; ${formatCount(unsized)} objects have none.`}
        </>
      }
    />
  );
}

const UUID = /^[0-9a-f-]{36}$/;

/** The labels of what is shown, by id. */
function useNames(group: string, rows: readonly Row[]): Record<string, string> {
  const backends = useResource<StorageBackend[]>(group === "backend" ? "/service/storage-backends" : null, {}, 0);
  const ids = group === "source" ? rows.map((row) => textOf(row, "source_id")).filter((id) => UUID.test(id)) : [];
  const list = ids.map((id) => `'${id}'`).join(", ");
  const labels = useSql(ids.length ? `SELECT source_id, label FROM sources WHERE source_id IN (${list})` : null);
  if (group === "flow") return Object.fromEntries(rows.map((row) => [textOf(row, "flow_id"), textOf(row, "label")]));
  if (group === "backend") return Object.fromEntries((backends.data ?? []).map((each) => [each.id, each.label ?? ""]));
  return Object.fromEntries((labels.data?.rows ?? []).map((row) => [textOf(row, "source_id"), textOf(row, "label")]));
}

const HOUR = 3_600_000;
const SPANS = [["24", "24 hours"], ["72", "3 days"], ["168", "7 days"]] as const;
const INGEST_MEASURES = [["bytes", "Bytes"], ["hours", "Hours of media"], ["segments", "Segments"]] as const;
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY_CLOCK = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });

function Ingest() {
  const [span, setSpan] = useState("24");
  const [measure, setMeasure] = useState("bytes");
  const answer = useQuestion("ingest-by-hour", { hours: span });
  const format = (value: number) => (measure === "segments" ? formatCount(value) : formatMeasure(measure as Measure, value));
  const value = (row: Row) => (measure === "segments" ? numberOf(row, "segments") : measureOf(row, measure as Measure));
  const label = `${INGEST_MEASURES.find(([each]) => each === measure)?.[1]} registered in each hour of the last ${span}`;
  return (
    <ChartFrame
      title="What arrives"
      controls={
        <>
          <Choice label="Time" value={span} options={SPANS} onChange={setSpan} />
          <Choice label="Measure of what arrives" value={measure} options={INGEST_MEASURES} onChange={setMeasure} />
        </>
      }
      chart={
        missingAnswer(answer) ?? (
          <Columns
            label={label}
            columns={byHour(answer.data!.rows, Number(span), value)}
            format={format}
            formatTime={(at) => (span === "24" ? CLOCK : DAY_CLOCK).format(at)}
          />
        )
      }
      table={missingAnswer(answer) ?? <AnswerTable answer={answer.data!} label={label} />}
    />
  );
}

/** A column for each hour, also for those without anything. */
function byHour(rows: readonly Row[], hours: number, value: (row: Row) => number): TimeColumn[] {
  const found = new Map(rows.map((row) => [Date.parse(textOf(row, "hour")), value(row)]));
  const last = Math.floor(Date.now() / HOUR) * HOUR;
  return Array.from({ length: hours }, (_, index) => {
    const at = last - (hours - 1 - index) * HOUR;
    return { at, value: found.get(at) ?? 0 };
  });
}

function Formats({ answer }: { answer: Answer }) {
  const bars = [...answer.rows]
    .sort((one, other) => hoursOf(other) - hoursOf(one))
    .slice(0, MOST)
    .map((row, index) => ({
      key: String(index),
      label: [formatName(textOf(row, "format")), textOf(row, "codec")].filter(Boolean).join(", "),
      value: hoursOf(row),
      text: `${formatMeasure("hours", hoursOf(row))}, ${formatCount(numberOf(row, "flows"))} flows`,
    }));
  return (
    <ChartFrame
      title="Formats"
      chart={bars.length ? <Bars label="Hours by format and codec" bars={bars} /> : <p class="muted">There are no flows.</p>}
      table={<AnswerTable answer={answer} label="Hours by format and codec" />}
    />
  );
}

const OTHERS = [
  ["", "Choose a question"],
  ["gaps-by-flow", "Gaps in flows"],
  ["stopped-ingests", "Ingests that have stopped"],
  ["retention", "What will be deleted"],
  ["shared-objects", "Objects used more than once"],
  ["unreferenced-objects", "Objects that nothing uses"],
  ["single-copies", "Objects with one copy"],
  ["webhooks-behind", "Webhooks that are behind"],
] as const;
const PARAMETERS: Record<string, [name: string, label: string, value: string]> = {
  "stopped-ingests": ["minutes", "Minutes without a segment", "10"],
  retention: ["days", "Days to look ahead", "7"],
};

function OtherQuestions() {
  const [question, setQuestion] = useState<string>(OTHERS[0][0]);
  const parameter = PARAMETERS[question];
  const [values, setValues] = useState<Record<string, string>>({});
  const value = values[question] ?? parameter?.[2] ?? "";
  const valid = !parameter || /^[1-9]\d{0,5}$/.test(value);
  const answer = useQuestion(valid && question ? question : null, parameter ? { [parameter[0]]: value } : {});
  const title = OTHERS.find(([each]) => each === question)?.[1] ?? question;
  const table = valid && question ? (missingAnswer(answer) ?? <AnswerTable answer={answer.data!} label={title} />) : null;
  return (
    <section class="section" aria-label="Other questions">
      <header class="section-head">
        <h2>Other questions</h2>
        <Choice label="Question" value={question} options={OTHERS} onChange={setQuestion} />
      </header>
      <div class="chart-body">
        {parameter && (
          <TextField
            label={parameter[1]}
            type="number"
            value={value}
            onInput={(text) => setValues({ ...values, [question]: text })}
            error={valid ? undefined : "A whole number from 1"}
          />
        )}
        <div class="table-frame" tabIndex={0} role="group" aria-label={title}>
          {table}
        </div>
        {answer.data?.truncated && <p class="muted">There are more rows than the server returns.</p>}
      </div>
    </section>
  );
}
