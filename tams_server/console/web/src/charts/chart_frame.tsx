// The frame of a chart: its heading and controls, and the same numbers as a table.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Section } from "../ui/page";

interface ChartFrameProps {
  title: string;
  controls?: ComponentChildren;
  chart: ComponentChildren;
  table: ComponentChildren;
  note?: ComponentChildren;
}

export function ChartFrame({ title, controls, chart, table, note }: ChartFrameProps) {
  const [asTable, setAsTable] = useState(false);
  return (
    <Section
      title={title}
      actions={
        <div class="chart-controls">
          {controls}
          <button type="button" class="button small" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            {asTable ? "Chart" : "Table"}
          </button>
        </div>
      }
    >
      <div class="chart-body">
        {asTable ? <div class="table-frame" tabIndex={0} role="group" aria-label={`${title}, as a table`}>{table}</div> : chart}
        {note && <p class="field-hint">{note}</p>}
      </div>
    </Section>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  options: readonly (readonly [value: string, text: string])[];
  onChange: (value: string) => void;
}

export function Choice({ label, value, options, onChange }: ChoiceProps) {
  return (
    <select class="input choice" aria-label={label} onChange={(event) => onChange(event.currentTarget.value)}>
      {options.map(([each, text]) => (
        <option key={each} value={each} selected={each === value}>{text}</option>
      ))}
    </select>
  );
}
