// What a timeline shows: summaries at the level of the view, single segments where they are few, and the whole in small.
import { useEffect, useRef, useState } from "preact/hooks";
import { useRetry } from "./retry";
import { readSegments, type Segment } from "./segments";
import { readSummary, Tiles, type Bucket, type Summary } from "./summaries";
import type { Range } from "./view";

const FEW = 250; // segments that are read one by one
const SETTLE_MS = 70;
const NOTHING: Summary = { level: 0, content: null, read: null, buckets: [] };

export interface TimelineData {
  tiles: { level: number; range: Range; buckets: Bucket[] }[];
  segments: Segment[] | null;
  overview: Summary;
  loading: boolean;
  error: unknown; // of what could not be read, and is tried again by itself
  retry: () => void;
  isRead: (time: bigint) => boolean; // whether it is known if there is a segment
  counted: number; // segments of the flow that are counted so far
}

export function useTimelineData(
  flowId: string, updated: string | undefined, content: Range, range: Range | null, level: number,
): TimelineData {
  const [, setCount] = useState(0);
  const tiles = useRef<Tiles | null>(null);
  const { error, attempt, ended, now } = useRetry();
  tiles.current ??= new Tiles(flowId, (problem) => {
    ended("tiles", problem);
    setCount((count) => count + 1);
  });
  useEffect(() => () => tiles.current?.stop(), []);

  const [overview, setOverview] = useState<Summary>(NOTHING);
  const [reading, setReading] = useState(true);
  const last = useRef<Range | null>(null);
  const few = useRef<{ range: Range; version: string | undefined; segments: Segment[] } | null>(null);

  useEffect(() => {
    const grown = last.current && last.current.start === content.start && last.current.end < content.end;
    tiles.current?.forget(last.current === null ? null : grown ? last.current.end : null);
    last.current = content;
  }, [flowId, updated]);

  const whole = useRef<string | null>(null); // the version of the flow whose overview has been read
  useEffect(() => {
    const version = `${flowId} ${updated}`;
    if (whole.current === version) return;
    const abort = new AbortController();
    setReading(true);
    const end = (problem: unknown) => {
      if (abort.signal.aborted) return;
      ended("overview", problem);
      setReading(false);
    };
    readSummary(flowId, { buckets: 600 }, abort.signal, (part) => setOverview({ ...part })).then((summary) => {
      setOverview(summary);
      whole.current = version;
      end(null);
    }, end);
    return () => abort.abort();
  }, [flowId, updated, attempt]);

  const from = range && (range.start > content.start ? range.start : content.start);
  const to = range && (range.end < content.end ? range.end : content.end);
  const wanted = from !== null && to !== null && from < to ? { start: from, end: to } : null;
  const known = wanted ? (tiles.current?.get(wanted, level) ?? []) : [];
  const complete = known.every((tile) => tile.level === level) && coverage(known, wanted);
  const inView = complete && wanted ? segmentsWithin(known, wanted, level) : Infinity;

  useEffect(() => {
    if (!wanted) return;
    const timer = setTimeout(() => {
      if (tiles.current?.load(wanted, level) === false) ended("tiles", null);
    }, SETTLE_MS);
    return () => clearTimeout(timer);
  }, [flowId, updated, level, String(from), String(to), attempt]);

  const detailed = inView <= FEW;
  useEffect(() => {
    if (!wanted || !detailed) return ended("segments", null);
    const kept = few.current;
    if (kept && kept.version === updated && kept.range.start <= wanted.start && kept.range.end >= wanted.end) return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      const margin = (wanted.end - wanted.start) / 4n;
      const wider = { start: wanted.start - margin, end: wanted.end + margin };
      void readAll(flowId, wider, abort.signal).then((segments) => {
        if (segments) few.current = { range: wider, version: updated, segments };
        ended("segments", null);
        setCount((count) => count + 1);
      }, (problem: unknown) => {
        if (!abort.signal.aborted) ended("segments", problem);
      });
    }, SETTLE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [flowId, updated, detailed, String(from), String(to), attempt]);

  const kept = few.current;
  const usable = detailed && kept && wanted && kept.range.start <= wanted.start && kept.range.end >= wanted.end;
  return {
    tiles: known,
    segments: usable ? kept.segments : null,
    overview,
    loading: reading || (wanted !== null && !complete) || (detailed && !usable && wanted !== null),
    error,
    retry: now,
    isRead: (time) => Boolean(usable) || known.some((tile) => tile.range.start <= time && time < tile.range.end),
    counted: overview.buckets.reduce((sum, bucket) => sum + bucket.segments, 0),
  };
}

async function readAll(flowId: string, range: Range, signal: AbortSignal): Promise<Segment[] | null> {
  const found: Segment[] = [];
  let next: URL | null = null;
  for (let page = 0; page < 4; page += 1) {
    const read: { segments: Segment[]; next: URL | null } = await readSegments(flowId, range, signal, next);
    found.push(...read.segments);
    next = read.next;
    if (next === null) return found;
  }
  return null;
}

function coverage(tiles: { range: Range }[], wanted: Range | null): boolean {
  if (!wanted) return true;
  const sorted = [...tiles].sort((one, other) => (one.range.start < other.range.start ? -1 : 1));
  let reached = wanted.start;
  for (const { range } of sorted) {
    if (range.start > reached) return false;
    if (range.end > reached) reached = range.end;
  }
  return reached >= wanted.end;
}

function segmentsWithin(tiles: { buckets: Bucket[] }[], wanted: Range, level: number): number {
  const length = 1n << BigInt(level);
  let count = 1; // one may have begun before
  for (const { buckets } of tiles) {
    for (const bucket of buckets) {
      if (bucket.start < wanted.end && bucket.start + length > wanted.start) count += bucket.segments;
    }
  }
  return count;
}
