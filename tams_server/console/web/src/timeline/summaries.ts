// Summaries of a flow's timeline, in tiles that are read once: the server's buckets are aligned, so that tiles fit.
import { nextLink, request, resourcePath } from "../api";
import { parseTimerange, parseTimestamp, formatSpan } from "../ui/time";
import type { Range } from "./view";

export interface Bucket {
  start: bigint;
  segments: number;
  covered: number; // ns
  gap: boolean;
  sampled: number;
  reused: number;
  partial: number;
  keyFrames: number | null;
}

export interface Summary {
  level: number;
  content: Range | null;
  read: Range | null; // the part that the buckets tell of
  buckets: Bucket[]; // in order of time
}

interface BucketDocument {
  start: string;
  segments: number;
  covered: number;
  gap: boolean;
  sampled?: number;
  reused?: number;
  partial?: number;
  key_frames?: number;
}

interface TimelineDocument {
  timerange: string; // what was counted
  content: string;
  level: number;
  buckets: BucketDocument[];
}

const MOST_PARTS = 400;

function bucketOf(document: BucketDocument): Bucket {
  return {
    start: parseTimestamp(document.start) ?? 0n,
    segments: document.segments,
    covered: document.covered,
    gap: document.gap,
    sampled: document.sampled ?? 0,
    reused: document.reused ?? 0,
    partial: document.partial ?? 0,
    keyFrames: document.key_frames ?? null,
  };
}

/** Read a summary part by part; `onPart` is called with what there is so far. */
export async function readSummary(
  flowId: string, query: Record<string, string | number>, signal: AbortSignal, onPart?: (summary: Summary) => void,
): Promise<Summary> {
  const found: Summary = { level: 0, content: null, read: null, buckets: [] };
  let where: string | URL | null = resourcePath("flows", flowId, "timeline");
  for (let part = 0; where !== null && part < MOST_PARTS; part += 1) {
    const response: Response = await request("GET", where, { signal, ...(part === 0 ? { query } : {}) });
    const document = (await response.json()) as TimelineDocument;
    const counted = rangeOf(document.timerange);
    found.level = document.level;
    found.content = rangeOf(document.content);
    if (counted) found.read = { start: found.read?.start ?? counted.start, end: counted.end };
    for (const each of document.buckets) addBucket(found.buckets, bucketOf(each));
    where = nextLink(where, response.headers.get("Link"));
    if (where !== null) onPart?.(found);
  }
  return found;
}

function rangeOf(timerange: string): Range | null {
  const span = parseTimerange(timerange);
  return span && span.start !== null && span.end !== null ? { start: span.start, end: span.end } : null;
}

/** A part may end within a bucket, the rest of which the next part has. */
function addBucket(buckets: Bucket[], bucket: Bucket): void {
  const last = buckets[buckets.length - 1];
  if (last?.start !== bucket.start) {
    buckets.push(bucket);
    return;
  }
  last.segments += bucket.segments;
  last.covered += bucket.covered;
  last.gap ||= bucket.gap;
  last.sampled += bucket.sampled;
  last.reused += bucket.reused;
  last.partial += bucket.partial;
  if (bucket.keyFrames !== null) last.keyFrames = (last.keyFrames ?? 0) + bucket.keyFrames;
}

const TILE_BITS = 8; // buckets of a tile: 2^8
const MOST_TILES = 600;
const COARSER = 14; // levels to look for something to show meanwhile

/** The tiles of one flow. */
export class Tiles {
  private readonly kept = new Map<string, Bucket[]>();
  private readonly pending = new Map<string, AbortController>();

  /** onRead: called after each request, with null or the error that it ended with. */
  constructor(private readonly flowId: string, private readonly onRead: (error: unknown) => void) {}

  /** What is known of a range, the finest for each part of it: [level, tile's range, buckets]. */
  get(range: Range, level: number): { level: number; range: Range; buckets: Bucket[] }[] {
    const found: { level: number; range: Range; buckets: Bucket[] }[] = [];
    const seen = new Set<string>();
    for (const number of tileNumbers(range, level)) {
      for (let coarser = 0; coarser <= COARSER && level + coarser <= 62; coarser += 1) {
        const key = keyOf(level + coarser, number >> BigInt(coarser));
        const buckets = this.kept.get(key);
        if (!buckets) continue;
        if (!seen.has(key)) found.push({ level: level + coarser, range: tileRange(level + coarser, number >> BigInt(coarser)), buckets });
        seen.add(key);
        break;
      }
    }
    return found.sort((one, other) => other.level - one.level);
  }

  /** Read the tiles of a range that are missing. Returns whether any is missing or being read. */
  load(range: Range, level: number): boolean {
    const numbers = tileNumbers(range, level);
    const wanted = new Set(numbers.map((number) => keyOf(level, number)));
    for (const [key, abort] of this.pending) {
      if (!wanted.has(key)) {
        abort.abort();
        this.pending.delete(key);
      }
    }
    for (let index = 0; index < numbers.length; index += 1) {
      const run: bigint[] = [];
      while (index < numbers.length && this.isMissing(level, numbers[index]!)) run.push(numbers[index++]!);
      if (run.length > 0) void this.read(level, run);
    }
    return this.pending.size > 0;
  }

  private isMissing(level: number, number: bigint): boolean {
    const key = keyOf(level, number);
    return !this.kept.has(key) && !this.pending.has(key);
  }

  private async read(level: number, numbers: bigint[]): Promise<void> {
    const abort = new AbortController();
    for (const number of numbers) this.pending.set(keyOf(level, number), abort);
    const span = { start: tileRange(level, numbers[0]!).start, end: tileRange(level, numbers[numbers.length - 1]!).end };
    let error: unknown = null;
    try {
      const query = { timerange: formatSpan(span), level };
      const { buckets } = await readSummary(this.flowId, query, abort.signal);
      for (const number of numbers) this.keep(keyOf(level, number), within(buckets, tileRange(level, number)));
    } catch (problem) {
      if (abort.signal.aborted) return;
      error = problem;
    } finally {
      for (const number of numbers) {
        const key = keyOf(level, number);
        if (this.pending.get(key) === abort) this.pending.delete(key);
      }
    }
    this.onRead(error);
  }

  private keep(key: string, buckets: Bucket[]): void {
    this.kept.delete(key);
    this.kept.set(key, buckets);
    if (this.kept.size > MOST_TILES) this.kept.delete(this.kept.keys().next().value!);
  }

  /** Forget what may have changed: everything, or only what ends after a moment. */
  forget(after: bigint | null): void {
    for (const key of [...this.kept.keys()]) {
      const [level, number] = key.split(":");
      if (after === null || tileRange(Number(level), BigInt(number!)).end > after) this.kept.delete(key);
    }
  }

  stop(): void {
    for (const abort of this.pending.values()) abort.abort();
    this.pending.clear();
  }
}

function keyOf(level: number, number: bigint): string {
  return `${level}:${number}`;
}

function tileRange(level: number, number: bigint): Range {
  const shift = BigInt(level + TILE_BITS);
  return { start: number << shift, end: (number + 1n) << shift };
}

function tileNumbers(range: Range, level: number): bigint[] {
  const shift = BigInt(level + TILE_BITS);
  const numbers: bigint[] = [];
  for (let number = range.start >> shift; number <= (range.end - 1n) >> shift && numbers.length < 64; number += 1n) {
    numbers.push(number);
  }
  return numbers;
}

function within(buckets: Bucket[], range: Range): Bucket[] {
  return buckets.filter((bucket) => bucket.start >= range.start && bucket.start < range.end);
}

/** The level of buckets that are a few pixels wide. */
export function levelFor(scale: number): number {
  return Math.min(62, Math.max(0, Math.ceil(Math.log2(scale * 2))));
}
