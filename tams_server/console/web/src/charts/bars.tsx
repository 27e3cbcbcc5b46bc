// Horizontal bars: one for each thing, the greatest first.
import type { ComponentChildren } from "preact";

export interface Bar {
  key: string;
  label: ComponentChildren;
  value: number;
  text: string; // the value with its unit
  hint?: string;
}

export function Bars({ label, bars }: { label: string; bars: readonly Bar[] }) {
  const most = Math.max(...bars.map((bar) => bar.value), 0);
  return (
    <ul class="bars" aria-label={label}>
      {bars.map((bar) => (
        <li key={bar.key} title={bar.hint}>
          <span class="bar-label">{bar.label}</span>
          <span class="bar-track" aria-hidden="true">
            <span class="bar" style={{ width: `${bar.value > 0 ? Math.max(0.5, (100 * bar.value) / most) : 0}%` }} />
          </span>
          <span class="bar-value">{bar.text}</span>
        </li>
      ))}
    </ul>
  );
}
