// The segments of a flow as a table: the same as the timeline, for those who cannot see or use that.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { href } from "../router";
import { momentText, type FrameRate } from "../timeline/clock";
import { useRetry } from "../timeline/retry";
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
  const [state, setState] = useState<{ segments: Segment[]; next: URL | null; many: boolean; read: string | null }>({
    segments: [], next: null, many: false, read: null,
  });
  const { error, attempt, ended, now } = useRetry();
  const busy = useRef(false);
  const key = `${flow.id} ${start ?? ""};`;
  // What has come since is listed by itself only where one page has everything.
  const version = !state.many || !state.read?.startsWith(key) ? `${key} ${flow.segments_updated}` : key;
  useEffect(() => {
    if (state.read === version) return ended("first", null);
    const abort = new AbortController();
    const range = start === null ? null : { start, end: content.end > start ? content.end : start + 1n };
    readSegments(flow.id, range, abort.signal).then(
      ({ segments, next }) => {
        const many = next !== null;
        setState({ segments, next, many, read: many ? key : version });
        for (const part of ["first", "more"]) ended(part, null);
      },
      (problem: unknown) => {
        if (!abort.signal.aborted) ended("first", problem);
      },
    );
    return () => abort.abort();
  }, [version, attempt]);
  const more = useCallback(() => {
    if (busy.current || !state.next) return;
    busy.current = true;
    const { next } = state;
    readSegments(flow.id, null, undefined, next)
      .then((page) => {
        setState((old) => (old.next === next ? { ...old, segments: [...old.segments, ...page.segments], next: page.next } : old));
        ended("more", null);
      })
      .catch((problem: unknown) => ended("more", problem))
      .finally(() => {
        busy.current = false;
      });
  }, [flow.id, state.next, attempt]);
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
      {error !== null && <ErrorBox error={error} retry={now} />}
      <DataTable
        label="Segments of the flow"
        columns={columns}
        rows={state.segments}
        rowKey={(segment) => segment.document.timerange}
        complete={state.read !== null && state.next === null}
        onMore={more}
        empty={<Empty title="No segments from there on" />}
      />
    </Section>
  );
}
