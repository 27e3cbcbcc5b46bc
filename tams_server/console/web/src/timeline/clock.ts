// Moments as text: UTC and TAI, by the table of leap seconds, and timecode at a flow's frame rate.

export interface FrameRate {
  numerator: number;
  denominator: number;
}

export type ClockMode = "utc" | "tai" | "timecode";

const SECOND = 1_000_000_000n;
const DAY = 86_400n * SECOND;
const YEAR_NS = 365n * DAY;

// [first UTC second, TAI - UTC from then on]: IERS Bulletin C.
const LEAPS: readonly (readonly [number, number])[] = [
  [63072000, 10], [78796800, 11], [94694400, 12], [126230400, 13], [157766400, 14], [189302400, 15], [220924800, 16],
  [252460800, 17], [283996800, 18], [315532800, 19], [362793600, 20], [394329600, 21], [425865600, 22], [489024000, 23],
  [567993600, 24], [631152000, 25], [662688000, 26], [709948800, 27], [741484800, 28], [773020800, 29], [820454400, 30],
  [867715200, 31], [915148800, 32], [1136073600, 33], [1230768000, 34], [1341100800, 35], [1435708800, 36],
  [1483228800, 37],
];

/** Whether moments of a timeline are dates. Timelines that begin near zero count from their beginning. */
export function hasDates(start: bigint): boolean {
  return start > YEAR_NS;
}

function offset(taiSeconds: number): number {
  for (let index = LEAPS.length - 1; index >= 0; index -= 1) {
    const [utc, difference] = LEAPS[index]!;
    if (taiSeconds >= utc + difference) return difference;
  }
  return 0;
}

export function utcOfTai(tai: bigint): bigint {
  return tai - BigInt(offset(Number(tai / SECOND))) * SECOND;
}

export function taiOfUtcMs(utcMs: number): bigint {
  const seconds = utcMs / 1000;
  let difference = 0;
  for (const [utc, each] of LEAPS) if (seconds >= utc) difference = each;
  return BigInt(Math.round(utcMs * 1e6)) + BigInt(difference) * SECOND;
}

function divided(ns: bigint, by: bigint): [bigint, bigint] {
  const rest = ((ns % by) + by) % by;
  return [(ns - rest) / by, rest];
}

const two = (value: bigint | number) => String(value).padStart(2, "0");

export function dateText(ns: bigint): string {
  const date = new Date(Number(ns / 1_000_000n));
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, 10);
}

/** HH:MM:SS with as many decimals as differ at this step. */
export function timeText(ns: bigint, step: bigint, dates: boolean): string {
  const [days, rest] = divided(ns, DAY);
  const seconds = rest / SECOND;
  const hours = dates ? seconds / 3600n : days * 24n + seconds / 3600n;
  const whole = `${two(hours)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  if (step >= SECOND) return whole;
  const digits = step >= 1_000_000n ? 3 : step >= 1_000n ? 6 : 9;
  return `${whole}.${String(rest % SECOND).padStart(9, "0").slice(0, digits)}`;
}

/** The number of the frame that is shown at a moment, counted from `anchor`. */
export function frameNumber(ns: bigint, anchor: bigint, rate: FrameRate): bigint {
  // Half a microsecond forgives times that were rounded when they were written.
  return divided((ns - anchor + 500n) * BigInt(rate.numerator), SECOND * BigInt(rate.denominator))[0];
}

export function frameStart(number: bigint, anchor: bigint, rate: FrameRate): bigint {
  const scaled = number * SECOND * BigInt(rate.denominator);
  return anchor + (scaled + BigInt(rate.numerator) / 2n) / BigInt(rate.numerator);
}

export function frameLength(rate: FrameRate): number {
  return (1e9 * rate.denominator) / rate.numerator;
}

/** HH:MM:SS:FF; with ";" where frames are dropped (29.97, 59.94), from midnight where there are dates. */
export function timecode(ns: bigint, rate: FrameRate, dates: boolean): string {
  const [, ofDay] = dates ? divided(ns, DAY) : [0n, ns];
  const negative = ofDay < 0n;
  let frames = frameNumber(negative ? -ofDay : ofDay, 0n, rate);
  const nominal = BigInt(Math.round(rate.numerator / rate.denominator));
  const drops = rate.denominator === 1001 && (nominal === 30n || nominal === 60n);
  if (drops) {
    const dropped = nominal / 15n;
    const perTen = nominal * 600n - 9n * dropped;
    const perMinute = nominal * 60n - dropped;
    const [tens, rest] = divided(frames, perTen);
    frames += dropped * 9n * tens + (rest >= dropped ? dropped * ((rest - dropped) / perMinute) : 0n);
  }
  const seconds = frames / nominal;
  const text = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  return `${negative ? "-" : ""}${text}${drops ? ";" : ":"}${two(frames % nominal)}`;
}

/** A moment in full, as the person has chosen. */
export function momentText(ns: bigint, mode: ClockMode, rate: FrameRate | null, dates: boolean): string {
  const clock = mode === "utc" && dates ? utcOfTai(ns) : ns;
  if (mode === "timecode" && rate) {
    const code = timecode(dates ? utcOfTai(ns) : ns, rate, dates);
    return dates ? `${dateText(utcOfTai(ns))} ${code}` : code;
  }
  const text = timeText(clock, 1_000_000n, dates);
  return dates ? `${dateText(clock)} ${text}${mode === "utc" ? "Z" : " TAI"}` : text;
}
