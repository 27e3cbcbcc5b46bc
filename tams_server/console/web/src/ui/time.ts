// Times, timeranges, sizes and rates as text. Times of TAMS are nanoseconds: bigint, or "seconds:nanoseconds" as text.

const NANOSECONDS = 1_000_000_000n;

/** Half-open, in nanoseconds; null where it has no bound. */
export interface Span {
  start: bigint | null;
  end: bigint | null;
}

/** Nanoseconds of "seconds:nanoseconds", which may be negative. */
export function parseTimestamp(text: string): bigint | null {
  const match = /^(-?)(\d+):(\d{1,9})$/.exec(text);
  if (!match) return null;
  const value = BigInt(match[2] ?? "0") * NANOSECONDS + BigInt(match[3] ?? "0");
  return match[1] ? -value : value;
}

export function formatTimestamp(ns: bigint): string {
  const absolute = ns < 0n ? -ns : ns;
  return `${ns < 0n ? "-" : ""}${absolute / NANOSECONDS}:${absolute % NANOSECONDS}`;
}

/** A timerange of TAMS as a half-open span; null if it is empty, "()", or no timerange. */
export function parseTimerange(text: string): Span | null {
  const match = /^([[(]?)(-?\d+:\d+)?(_?)(-?\d+:\d+)?([\])]?)$/.exec(text.trim());
  if (!match || text.trim() === "()") return null;
  const [, open, from, separator, to, close] = match;
  const first = from === undefined ? null : parseTimestamp(from);
  if (!separator) return first === null ? null : { start: first, end: first + 1n };
  const last = to === undefined ? null : parseTimestamp(to);
  const start = first === null ? null : open === "(" ? first + 1n : first;
  const end = last === null ? null : close === "]" ? last + 1n : last;
  return start !== null && end !== null && end <= start ? null : { start, end };
}

export function formatSpan({ start, end }: { start: bigint; end: bigint }): string {
  return `[${formatTimestamp(start)}_${formatTimestamp(end)})`;
}

/** A length of time for people: 2 h 03 min, 4.2 s, 40 ms. */
export function formatDuration(ns: bigint): string {
  const seconds = Number(ns) / 1e9;
  if (seconds < 0.0005) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${trimmed(seconds, 2)} s`;
  const whole = Math.round(seconds);
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
}

/** The length of a timerange for people, or what it is instead. */
export function describeTimerange(text: string | undefined): string {
  if (text === undefined) return "";
  const span = parseTimerange(text);
  if (span === null) return "empty";
  return span.start === null || span.end === null ? "unbounded" : formatDuration(span.end - span.start);
}

const DATE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** A date-time of the API in the time zone of the browser. */
export function formatDate(text: string | undefined): string {
  const date = text === undefined ? NaN : Date.parse(text);
  return Number.isNaN(date) ? (text ?? "") : DATE.format(date);
}

/** How long ago, up to a week; otherwise the day. */
export function formatAge(text: string | undefined, now: number = Date.now()): string {
  const date = text === undefined ? NaN : Date.parse(text);
  if (Number.isNaN(date)) return text ?? "";
  const seconds = Math.round((now - date) / 1000);
  if (seconds < -5) return formatDate(text);
  if (seconds < 5) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  if (seconds < 7 * 86400) return `${Math.floor(seconds / 86400)} d ago`;
  return DAY.format(date);
}

export function formatBytes(bytes: number): string {
  return scaled(bytes, ["B", "kB", "MB", "GB", "TB", "PB", "EB"]);
}

/** bits per second */
export function formatRate(bits: number): string {
  return scaled(bits, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]);
}

const COUNT = new Intl.NumberFormat("en-GB");

export function formatCount(count: number): string {
  return COUNT.format(count);
}

function scaled(value: number, units: string[]): string {
  let index = 0;
  while (Math.abs(value) >= 1000 && index < units.length - 1) {
    value /= 1000;
    index += 1;
  }
  return `${trimmed(value, value < 10 && index > 0 ? 2 : value < 100 && index > 0 ? 1 : 0)} ${units[index]}`;
}

function trimmed(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
