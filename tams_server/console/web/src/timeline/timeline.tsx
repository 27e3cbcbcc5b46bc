// The timeline of a flow: a picture of any part of it, from years to single frames, moved by wheel, touch and keys.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ErrorBox } from "../ui/states";
import { formatCount, formatDuration } from "../ui/time";
import { momentText, type ClockMode, type FrameRate } from "./clock";
import { gestures } from "./gestures";
import { MINI, paintMinimap } from "./minimap";
import { HEIGHT, paint } from "./paint";
import { palette, type Palette } from "./palette";
import { marks } from "./ruler";
import type { Segment } from "./segments";
import { levelFor } from "./summaries";
import { Thumbnail } from "./thumbnail";
import { useTimelineData } from "./timeline_data";
import { clamp, fit, pan, placeOf, reveal, shown, timeAt, zoom, type Range, type View } from "./view";

export interface TimelineProps {
  flowId: string;
  updated: string | undefined; // changes when segments do
  rate: FrameRate | null;
  mode: ClockMode;
  dates: boolean;
  content: Range;
  position: bigint;
  inPoint: bigint | null;
  outPoint: bigint | null;
  selected: Segment | null;
  hasPictures: boolean;
  onSeek: (time: bigint) => void;
  onSelect: (segment: Segment | null) => void;
  controls?: (control: TimelineControl) => void;
}

export interface TimelineControl {
  zoom: (factor: number) => void;
  fit: (range?: Range) => void;
  pan: (share: number) => void;
}

export function Timeline(props: TimelineProps) {
  const { flowId, updated, content, position, rate, mode, dates } = props;
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const mini = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [view, setView] = useState<View | null>(null);
  const [hover, setHover] = useState<{ x: number; time: bigint } | null>(null);
  const [theme, setTheme] = useState(0);
  const latest = useRef({ view, width, content, props });
  latest.current = { view, width, content, props };

  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    if (frame.current) observer.observe(frame.current);
    const themes = new MutationObserver(() => setTheme((count) => count + 1));
    themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    const scheme = matchMedia("(prefers-color-scheme: light)");
    const change = () => setTheme((count) => count + 1);
    scheme.addEventListener("change", change);
    return () => {
      observer.disconnect();
      themes.disconnect();
      scheme.removeEventListener("change", change);
    };
  }, []);

  useEffect(() => {
    if (width > 0) setView((old) => (old ? clamp(old, content, width) : fit(content, width)));
  }, [width]);

  useEffect(() => {
    if (view && width > 0) setView(reveal(view, position, width));
  }, [position]);

  // While the whole flow is in view, it stays so as the flow grows.
  const seen = useRef(content);
  useEffect(() => {
    const before = seen.current;
    seen.current = content;
    if (!view || width === 0) return;
    const all = view.start <= before.start && shown(view, width).end >= before.end;
    if (all && (before.end !== content.end || before.start !== content.start)) setView(fit(content, width));
  }, [content.start, content.end]);

  const range = view && width > 0 ? shown(view, width) : null;
  const level = view ? levelFor(view.scale) : 0;
  const data = useTimelineData(flowId, updated, content, range, level);

  useEffect(() => {
    const control = {
      zoom: (factor: number) => move((old, { width: wide, content: all, props: { position: at } }) => {
        const x = placeOf(old, at);
        return zoom(old, factor, x >= 0 && x <= wide ? x : wide / 2, all, wide);
      }),
      fit: (wanted?: Range) => move((_, { width: wide, content: all }) => fit(wanted ?? all, wide)),
      pan: (share: number) => move((old, { width: wide, content: all }) => pan(old, share * wide, all, wide)),
    };
    props.controls?.(control);
  }, []);

  function move(change: (view: View, now: { width: number; content: Range; props: TimelineProps }) => View): void {
    const now = latest.current;
    if (now.view && now.width > 0) {
      const next = change(now.view, now);
      latest.current = { ...now, view: next };
      setView(next);
    }
  }

  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    return gestures(element, {
      zoom: (factor, x) => move((old, now) => zoom(old, factor, x, now.content, now.width)),
      pan: (pixels) => move((old, now) => pan(old, pixels, now.content, now.width)),
      hover: (x) => setHover(x === null || !latest.current.view ? null : { x, time: timeAt(latest.current.view, x) }),
      press: (x) => {
        const { view: old, props: now } = latest.current;
        if (!old) return;
        const time = timeAt(old, x);
        now.onSeek(time);
        now.onSelect(found.current?.find((each) => each.start <= time && time < each.end) ?? null);
      },
    });
  }, []);
  const found = useRef<Segment[] | null>(null);
  found.current = data.segments;

  const colours = useRef<Palette | null>(null);
  useLayoutEffect(() => {
    const element = canvas.current;
    if (!element || !view || width === 0) return;
    colours.current = palette(element);
    const context = scaled(element, width, HEIGHT);
    paint(
      context,
      {
        view, width, content, rate, mode,
        marks: marks(view, width, mode, rate, dates, content.start),
        tiles: data.tiles,
        segments: data.segments,
        selected: props.selected?.start ?? null,
        position,
        hover: hover?.time ?? null,
        inPoint: props.inPoint,
        outPoint: props.outPoint,
        anchor: content.start,
      },
      colours.current,
    );
    if (mini.current) {
      const small = scaled(mini.current, width, MINI);
      paintMinimap(small, width, content, data.overview, shown(view, width), position, colours.current);
    }
  });

  const jump = (event: PointerEvent) => {
    if (event.buttons === 0) return;
    const share = event.offsetX / Math.max(1, width);
    const time = content.start + BigInt(Math.round(Number(content.end - content.start) * share));
    move((old, now) => clamp({ ...old, start: time - BigInt(Math.round((old.scale * now.width) / 2)) }, now.content, now.width));
  };

  return (
    <div
      ref={frame}
      class="timeline"
      data-theme-count={theme}
      data-state={data.error !== null ? "error" : data.loading ? "loading" : "ready"}
      data-detail={data.segments ? "segments" : "buckets"}
      data-scale={view?.scale ?? 0}
      data-start={range ? String(range.start) : ""}
      data-end={range ? String(range.end) : ""}
      data-counted={data.counted}
    >
      <canvas
        ref={canvas}
        class="timeline-canvas"
        role="slider"
        tabIndex={0}
        aria-label="Position on the timeline"
        aria-valuemin={0}
        aria-valuemax={Math.round(Number(content.end - content.start) / 1e6)}
        aria-valuenow={Math.round(Number(position - content.start) / 1e6)}
        aria-valuetext={momentText(position, mode, rate, dates)}
        aria-describedby="timeline-help"
        onKeyDown={(event) => {
          // As sliders do; elsewhere on the page these keys move the view.
          const tenths = { PageUp: 1n, PageDown: -1n }[event.key];
          if (tenths === undefined || !range || event.altKey || event.ctrlKey || event.metaKey) return;
          event.preventDefault();
          props.onSeek(position + (tenths * (range.end - range.start)) / 10n);
        }}
      />
      <canvas
        ref={mini}
        class="timeline-minimap"
        aria-hidden="true"
        onPointerDown={(event) => {
          (event.currentTarget as Element).setPointerCapture(event.pointerId);
          jump(event);
        }}
        onPointerMove={jump}
      />
      <p id="timeline-help" class="visually-hidden">
        The arrow keys move by a frame, with Shift by a second, page up and page down by a
        tenth of what is shown. Plus and minus zoom, F shows everything. The table of
        segments below has the same content.
      </p>
      {data.error !== null && <ErrorBox error={data.error} retry={data.retry} />}
      {hover && view && <HoverBox {...props} hover={hover} width={width} data={data} level={level} />}
    </div>
  );
}

type Data = ReturnType<typeof useTimelineData>;

function HoverBox({ hover, width, data, level, mode, rate, dates, flowId, content, hasPictures }: TimelineProps & {
  hover: { x: number; time: bigint };
  width: number;
  data: Data;
  level: number;
}) {
  const { time } = hover;
  const segment = data.segments?.find((each) => each.start <= time && time < each.end);
  const inside = time >= content.start && time < content.end;
  const bucket = segment || data.segments ? undefined : bucketAt(data, time);
  const left = Math.min(Math.max(0, hover.x - 120), Math.max(0, width - 250));
  return (
    <div class="timeline-hover" style={{ left: `${left}px` }} role="tooltip">
      {hasPictures && inside && (segment || bucket) && <Thumbnail flowId={flowId} time={time} />}
      <div class="mono">{momentText(time, mode, rate, dates)}</div>
      {segment && (
        <>
          <div class="timeline-object mono">{segment.document.object_id}</div>
          <div class="muted">
            {formatDuration(segment.end - segment.start)}
            {segment.partial && ", a part of its object"}
            {segment.document.key_frame_count !== undefined && `, key frames: ${segment.document.key_frame_count}`}
          </div>
        </>
      )}
      {bucket && (
        <div class="muted">
          {formatCount(bucket.segments)} {bucket.segments === 1 ? "segment" : "segments"} in {formatDuration(1n << BigInt(level))}
          {bucket.gap && ", with a gap"}
          {bucket.sampled > 0 && bucket.reused > 0 && `, reused: ${bucket.reused} of ${bucket.sampled} looked at`}
        </div>
      )}
      {!segment && !bucket && <div class="muted">{inside ? (data.isRead(time) ? "Gap" : "Not read yet") : "Outside of the flow"}</div>}
    </div>
  );
}

function bucketAt(data: Data, time: bigint) {
  for (let index = data.tiles.length - 1; index >= 0; index -= 1) {
    const tile = data.tiles[index]!;
    if (time < tile.range.start || time >= tile.range.end) continue;
    const start = (time >> BigInt(tile.level)) << BigInt(tile.level);
    return tile.buckets.find((bucket) => bucket.start === start && bucket.covered > 0);
  }
  return undefined;
}

function scaled(element: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (element.width !== wide) element.width = wide;
  if (element.height !== high) element.height = high;
  const context = element.getContext("2d")!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}
