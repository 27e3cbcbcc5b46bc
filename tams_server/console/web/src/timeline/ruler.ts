// The marks of a time ruler: as close as their labels allow, at round times or frames.
import { dateText, frameLength, frameStart, timecode, timeText, utcOfTai, type ClockMode, type FrameRate } from "./clock";
import { placeOf, timeAt, type View } from "./view";

export interface Mark {
  x: number;
  label: string | null; // null: a mark between two with labels
}

const S = 1_000_000_000n;
const STEPS: readonly (readonly [bigint, bigint])[] = [
  // [between labels, between marks]
  ...[1_000n, 10_000n, 100_000n, 1_000_000n, 10_000_000n, 100_000_000n].flatMap((unit): [bigint, bigint][] => [
    [unit, unit / 5n], [2n * unit, unit / 2n], [5n * unit, unit],
  ]),
  [S, S / 5n], [2n * S, S / 2n], [5n * S, S], [10n * S, 2n * S], [30n * S, 5n * S], [60n * S, 10n * S], [120n * S, 30n * S],
  [300n * S, 60n * S], [600n * S, 120n * S], [1800n * S, 300n * S], [3600n * S, 600n * S], [7200n * S, 1800n * S],
  [21600n * S, 3600n * S], [43200n * S, 7200n * S], [86400n * S, 21600n * S], [172800n * S, 43200n * S],
  [604800n * S, 86400n * S], [2592000n * S, 604800n * S], [7776000n * S, 2592000n * S], [31536000n * S, 7776000n * S],
  [157680000n * S, 31536000n * S], [315360000n * S, 63072000n * S], [3153600000n * S, 315360000n * S],
];
const FRAMES = [1, 2, 5, 10, 25];
const DAY = 86_400n * S;

export function marks(
  view: View, width: number, mode: ClockMode, rate: FrameRate | null, dates: boolean, anchor: bigint,
): Mark[] {
  const room = (mode === "timecode" ? 100 : 92) * view.scale;
  if (mode === "timecode" && rate) {
    const frame = frameLength(rate);
    const every = FRAMES.find((count) => count * frame >= room);
    if (every !== undefined) return frameMarks(view, width, rate, dates, anchor, every);
  }
  const [major, minor] = STEPS.find(([step]) => Number(step) >= room) ?? STEPS[STEPS.length - 1]!;
  const shift = dates && mode !== "tai" ? view.start - utcOfTai(view.start) : 0n;
  const found: Mark[] = [];
  const first = view.start - shift;
  let time = first - (((first % minor) + minor) % minor);
  const end = timeAt(view, width) - shift;
  for (let count = 0; time <= end && count < 400; time += minor, count += 1) {
    const labelled = ((time % major) + major) % major === 0n;
    found.push({ x: placeOf(view, time + shift), label: labelled ? label(time, major, mode, rate, dates) : null });
  }
  return found;
}

function label(time: bigint, step: bigint, mode: ClockMode, rate: FrameRate | null, dates: boolean): string {
  if (dates && step >= DAY) return dateText(time);
  if (mode === "timecode" && rate && step >= S) return timecode(time, rate, dates);
  return timeText(time, step, dates);
}

function frameMarks(
  view: View, width: number, rate: FrameRate, dates: boolean, anchor: bigint, every: number,
): Mark[] {
  const length = frameLength(rate);
  const found: Mark[] = [];
  const step = BigInt(every);
  let number = BigInt(Math.floor(Number(view.start - anchor) / length));
  number -= ((number % step) + step) % step;
  for (let count = 0; count < 400; count += 1, number += 1n) {
    const time = frameStart(number, anchor, rate);
    const x = placeOf(view, time);
    if (x > width) break;
    const labelled = ((number % step) + step) % step === 0n;
    found.push({ x, label: labelled ? timecode(dates ? utcOfTai(time) : time, rate, dates) : null });
  }
  return found;
}
