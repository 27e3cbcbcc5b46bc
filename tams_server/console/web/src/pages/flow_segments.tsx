// The segments of a flow as a table: the same as the timeline, for those who cannot see or use that.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { href } from "../router";
import { momentText, type FrameRate } from "../timeline/clock";
import { readSegments, type Segment } from "../timeline/segments";
import type { Range } from "../timeline/view";
import type { Flow } from "../types";
import { TextField } from "../ui/form";
import { Section } from "../ui/page";
import { Empty, ErrorBox } from "../ui/states";
import { DataTable, type Column } from "../ui/table";
import { formatDuration, parseTimestamp } from "../ui/time";

interface FlowSegmentsProps {
  flow: Flow;
  content: Range;
  rate: FrameRate | null;
  dates: boolean;
  selected: bigint | null;
  onSelect: (segment: Segment) => void;
}

export function FlowSegments({ flow, content, rate, dates, selected, onSelect }: FlowSegmentsProps) {
  const [from, setFrom] = useState("");
  const start = parseTimestamp(from.trim()) ?? null;
  const [state, setState] = useState<{ segments: Segment[]; next: URL | null; read: boolean; error: unknown }>({
    segments: [], next: null, read: false, error: null,
  });
  const busy = useRef(false);
  const key = `${flow.id} ${start ?? ""}`;
  // Further segments are listed as the flow grows only where all have been read.
  const version = state.next === null ? flow.segments_updated : "";
  useEffect(() => {
    const abort = new AbortController();
    const range = start === null ? null : { start, end: content.end > start ? content.end : start + 1n };
    readSegments(flow.id, range, abort.signal).then(
      ({ segments, next }) => setState({ segments, next, read: true, error: null }),
      (error: unknown) => {
        if (!abort.signal.aborted) setState((old) => ({ ...old, read: true, error }));
      },
    );
    return () => abort.abort();
  }, [key, version]);
  const more = useCallback(() => {
    if (busy.current || !state.next) return;
    busy.current = true;
    const { next } = state;
    readSegments(flow.id, null, undefined, next)
      .then((page) => setState((old) => (old.next === next ? { ...old, segments: [...old.segments, ...page.segments], next: page.next } : old)))
      .catch((error: unknown) => setState((old) => ({ ...old, error })))
      .finally(() => {
        busy.current = false;
      });
  }, [flow.id, state.next]);
  const columns: Column<Segment>[] = [
    {
      key: "start",
      title: rate ? "Timecode" : "Time",
      width: "minmax(150px, 1.2fr)",
      render: (segment) => (
        <button type="button" class="link-button mono" aria-current={segment.start === selected ? "true" : undefined} onClick={() => onSelect(segment)}>
          {momentText(segment.start, rate ? "timecode" : "utc", rate, dates)}
        </button>
      ),
    },
    { key: "timerange", title: "Timerange", width: "minmax(200px, 2fr)", render: (segment) => <span class="mono">{segment.document.timerange}</span>, narrow: "hide" },
    { key: "duration", title: "Duration", width: "90px", align: "right", render: (segment) => formatDuration(segment.end - segment.start) },
    {
      key: "object",
      title: "Object",
      width: "minmax(160px, 2fr)",
      render: (segment) => <a class="mono" href={href(`/objects/${encodeURIComponent(segment.document.object_id)}`)}>{segment.document.object_id}</a>,
    },
    { key: "part", title: "Part", width: "70px", render: (segment) => (segment.partial ? "part" : ""), narrow: "hide" },
    { key: "keys", title: "Key frames", width: "90px", align: "right", render: (segment) => segment.document.key_frame_count, narrow: "hide" },
  ];
  return (
    <Section
      title="Segments"
      actions={
        <div class="section-field">
          <TextField
            label="From"
            value={from}
            onInput={setFrom}
            placeholder="0:0"
            mono
            error={from.trim() !== "" && start === null ? "Seconds, a colon, nanoseconds" : undefined}
          />
        </div>
      }
    >
      {state.error !== null && <ErrorBox error={state.error} />}
      <DataTable
        label="Segments of the flow"
        columns={columns}
        rows={state.segments}
        rowKey={(segment) => segment.document.timerange}
        complete={state.read && state.next === null}
        onMore={more}
        empty={<Empty title="No segments from there on" />}
      />
    </Section>
  );
}
