// A table of any length: only the rows in view are in the document, and further pages are read as they come near.
import { Component, type ComponentChildren } from "preact";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { navigate } from "../router";
import { useNarrow } from "./media";

export interface Column<T> {
  key: string;
  title: string;
  render: (row: T) => ComponentChildren;
  width?: string; // of the grid's track, such as "120px" or "minmax(160px, 2fr)"
  align?: "right";
  sort?: string; // the value of sort_by
  narrow?: "hide"; // on phones
}

interface DataTableProps<T> {
  label: string; // what the rows are, for screen readers
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string;
  rowHref?: (row: T) => string; // path of the page that Enter and a click open
  complete?: boolean;
  onMore?: () => void; // reads further rows
  sort?: { by: string; reverse: boolean };
  onSort?: (by: string) => void;
  empty?: ComponentChildren;
  rowHeight?: number; // pixels
}

const OVERSCAN = 12;
const ROWS_AHEAD = 60;
const MOST_MOVED = 200;

export function DataTable<T>(props: DataTableProps<T>) {
  const narrow = useNarrow();
  const columns = useMemo(
    () => (narrow ? props.columns.filter((column) => column.narrow !== "hide") : props.columns),
    [narrow, props.columns],
  );
  const { rows, rowKey, rowHref, complete = true, onMore, sort, onSort, rowHeight = 34 } = props;
  const frame = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ first: 0, last: 60 });
  const [active, setActive] = useState(-1);
  // The row that keys move from: at once, while `active` waits for the next rendering.
  const current = useRef(-1);
  const focusing = useRef(false);
  const count = rows.length;

  const measure = useCallback(() => {
    const element = frame.current;
    if (!element) return;
    const first = Math.max(0, Math.floor(element.scrollTop / rowHeight) - OVERSCAN);
    const last = Math.ceil((element.scrollTop + element.clientHeight) / rowHeight) + OVERSCAN;
    setView((old) => (old.first === first && old.last === last ? old : { first, last }));
  }, [rowHeight]);

  useLayoutEffect(() => {
    measure();
    const element = frame.current;
    if (!element) return;
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [measure]);

  // Rows that come or go above those in view do not move these.
  const anchor = useRef<{ key: string; index: number } | null>(null);
  useLayoutEffect(() => {
    const element = frame.current;
    const old = anchor.current;
    if (!element) return;
    const top = Math.floor(element.scrollTop / rowHeight);
    if (old && top > 0 && old.index < count && rows[old.index] && rowKey(rows[old.index]!) !== old.key) {
      for (let away = 1; away <= MOST_MOVED; away += 1) {
        const found = [old.index + away, old.index - away].find((at) => rows[at] && rowKey(rows[at]!) === old.key);
        if (found === undefined) continue;
        element.scrollTop += (found - old.index) * rowHeight;
        break;
      }
    }
  }, [rows]);
  useEffect(() => {
    const top = Math.floor((frame.current?.scrollTop ?? 0) / rowHeight);
    const row = rows[top];
    anchor.current = row ? { key: rowKey(row), index: top } : null;
  });

  useEffect(() => {
    if (!complete && view.last + ROWS_AHEAD > count) onMore?.();
  }, [view.last, count, complete, onMore]);

  const focusRow = useCallback(
    (index: number) => {
      const target = Math.max(0, Math.min(index, count - 1));
      const element = frame.current;
      if (!element || count === 0) return;
      const head = element.querySelector<HTMLElement>("[role=rowgroup]")?.offsetHeight ?? 0;
      const top = target * rowHeight;
      if (top < element.scrollTop) element.scrollTop = top;
      const bottom = top + rowHeight + head - element.clientHeight;
      if (bottom > element.scrollTop) element.scrollTop = bottom;
      current.current = target;
      setActive(target);
      measure();
    },
    [count, rowHeight, measure],
  );

  // Before the browser has a chance to send the next key to nothing, when the row with the focus has left the document.
  useLayoutEffect(() => {
    if (active < 0) return;
    const row = frame.current?.querySelector<HTMLElement>(`[data-index="${active}"]`);
    if (!row || row === document.activeElement) return;
    focusing.current = true;
    row.focus({ preventScroll: true });
    focusing.current = false;
  }, [active, view.first]);

  const onActive = useCallback((index: number) => {
    if (focusing.current) return; // keys may have gone on since
    current.current = index;
    setActive(index);
  }, []);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor((frame.current?.clientHeight ?? 0) / rowHeight) - 2);
    const at = current.current;
    const row = rows[at];
    if (event.key === "Enter" && row && rowHref && event.target instanceof Element && event.target.matches("[role=row]")) {
      navigate(rowHref(row));
      return;
    }
    const moves: Record<string, number> = {
      ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1,
      PageDown: at + page, PageUp: at - page, Home: 0, End: count - 1,
    };
    const target = moves[event.key];
    if (target !== undefined) {
      event.preventDefault();
      focusRow(target);
    }
  };

  const last = Math.min(view.last, count);
  if (count === 0 && complete) return <>{props.empty ?? null}</>;
  return (
    <>
      <div
        ref={frame}
        class="data-table"
        role="table"
        aria-label={props.label}
        aria-rowcount={complete ? count + 1 : -1}
        aria-colcount={columns.length}
        tabIndex={active < 0 ? 0 : -1}
        onScroll={measure}
        onKeyDown={onKeyDown}
      >
        <div role="rowgroup" class="table-head">
          <div role="row" class="table-row" aria-rowindex={1} style={{ gridTemplateColumns: tracks(columns) }}>
            {columns.map((column) => (
              <Heading key={column.key} column={column} sort={sort} onSort={onSort} />
            ))}
          </div>
        </div>
        <div role="rowgroup" class="table-body" style={{ height: `${(complete ? count : count + 1) * rowHeight}px` }}>
          {rows.slice(view.first, last).map((row, offset) => {
            const index = view.first + offset;
            return (
              <Row
                key={rowKey(row)}
                row={row}
                index={index}
                active={index === active}
                columns={columns}
                link={rowHref?.(row)}
                height={rowHeight}
                onActive={onActive}
              />
            );
          })}
          {!complete && <div class="table-loading" aria-hidden="true" style={{ height: `${rowHeight}px` }}><span class="spinner" />Loading…</div>}
        </div>
      </div>
      {!complete && <p class="visually-hidden" role="status">Loading more rows</p>}
    </>
  );
}

interface RowProps<T> {
  row: T;
  index: number;
  active: boolean;
  columns: readonly Column<T>[];
  link: string | undefined;
  height: number;
  onActive: (index: number) => void;
}

/** A row, which is made again only if it has changed: not for each step of scrolling. */
class Row<T> extends Component<RowProps<T>> {
  override shouldComponentUpdate(next: RowProps<T>): boolean {
    const { row, index, active, columns, height } = this.props;
    return (
      row !== next.row ||
      index !== next.index ||
      active !== next.active ||
      columns !== next.columns ||
      height !== next.height
    );
  }

  override render() {
    const { row, index, active, columns, link, height, onActive } = this.props;
    return (
      <div
        role="row"
        class={link ? "table-row linked" : "table-row"}
        data-index={index}
        aria-rowindex={index + 2}
        tabIndex={active ? 0 : -1}
        style={{
          gridTemplateColumns: tracks(columns),
          transform: `translateY(${index * height}px)`,
          height: `${height}px`,
        }}
        onFocus={() => onActive(index)}
        onClick={(event) => {
          const inner = event.target instanceof Element && event.target.closest("a, button, input, select");
          if (link && !inner && !getSelection()?.toString()) navigate(link);
        }}
      >
        {columns.map((column) => (
          <div key={column.key} role="cell" class={cellClass(column)}>
            {column.render(row)}
          </div>
        ))}
      </div>
    );
  }
}

function tracks<T>(columns: readonly Column<T>[]): string {
  return columns.map((column) => column.width ?? "minmax(80px, 1fr)").join(" ");
}

interface HeadingProps<T> {
  column: Column<T>;
  sort: { by: string; reverse: boolean } | undefined;
  onSort: ((by: string) => void) | undefined;
}

function Heading<T>({ column, sort, onSort }: HeadingProps<T>) {
  const by = column.sort;
  if (!by || !onSort) {
    return <div role="columnheader" class={cellClass(column)}>{column.title}</div>;
  }
  const sorted = sort?.by === by;
  // Dates run from the newest to the oldest unless reversed, labels from A to Z.
  const ascending = sorted && (by === "label") !== sort.reverse;
  return (
    <div
      role="columnheader"
      class={cellClass(column)}
      aria-sort={sorted ? (ascending ? "ascending" : "descending") : "none"}
    >
      <button type="button" class="sort-button" onClick={() => onSort(by)}>
        {column.title}
        <span class="sort-mark" aria-hidden="true">{sorted ? (ascending ? "↑" : "↓") : ""}</span>
      </button>
    </div>
  );
}

function cellClass<T>(column: Column<T>): string {
  return `cell${column.align === "right" ? " right" : ""}`;
}
