// A column for each period of time, from the oldest to the newest.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { axisMarks } from "./scale";

export interface TimeColumn {
  at: number; // ms since 1970
  value: number;
}

interface ColumnsProps {
  label: string; // what is shown, for screen readers
  columns: readonly TimeColumn[]; // one for each period, without gaps
  format: (value: number) => string;
  formatTime: (at: number) => string;
}

const HEIGHT = 220;
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 8, 10, 26];
const LABEL_WIDTH = 84;

export function Columns({ label, columns, format, formatTime }: ColumnsProps) {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  const [active, setActive] = useState<number | null>(null);
  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, []);
  const marks = axisMarks(Math.max(...columns.map((each) => each.value), 0));
  const top = marks.at(-1) ?? 1;
  const space = Math.max(60, width - LEFT - RIGHT);
  const step = space / Math.max(1, columns.length);
  const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const every = Math.max(1, Math.ceil((columns.length * LABEL_WIDTH) / space));
  const shown = active === null ? undefined : columns[active];
  return (
    <div ref={frame} class="columns-chart">
      <svg
        width={width}
        height={HEIGHT}
        role="img"
        aria-label={label}
        onPointerMove={(event) => {
          const at = Math.floor((event.offsetX - LEFT) / step);
          setActive(at >= 0 && at < columns.length ? at : null);
        }}
        onPointerLeave={() => setActive(null)}
      >
        {marks.map((mark) => (
          <g key={mark}>
            <line class="grid-line" x1={LEFT} x2={width - RIGHT} y1={y(mark)} y2={y(mark)} />
            <text class="axis-text" x={LEFT - 8} y={y(mark) + 4} text-anchor="end">{format(mark)}</text>
          </g>
        ))}
        {columns.map(({ at, value }, index) => (
          <g key={at}>
            {index === active && <rect class="column-band" x={LEFT + index * step} y={TOP} width={step} height={HEIGHT - TOP - BOTTOM} />}
            {value > 0 && (
              <rect
                class="column"
                x={LEFT + index * step + Math.min(2, step * 0.1)}
                y={Math.min(y(value), y(0) - 1)}
                width={Math.max(1, step - Math.min(4, step * 0.2))}
                height={Math.max(1, y(0) - y(value))}
              />
            )}
            {index % every === 0 && (
              <text class="axis-text" x={LEFT + index * step} y={HEIGHT - 8}>{formatTime(at)}</text>
            )}
          </g>
        ))}
      </svg>
      <p class="columns-reading" aria-hidden="true">
        {shown ? <><strong>{format(shown.value)}</strong> {formatTime(shown.at)}</> : " "}
      </p>
    </div>
  );
}
