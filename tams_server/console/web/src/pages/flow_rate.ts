// The frame rate of a flow, where it has one.
import type { FrameRate } from "../timeline/clock";
import type { Flow } from "../types";

export function frameRateOf(flow: Flow): FrameRate | null {
  const found = flow.essence_parameters?.["frame_rate"] as { numerator?: number; denominator?: number } | undefined;
  if (!found?.numerator || found.numerator <= 0) return null;
  const denominator = found.denominator && found.denominator > 0 ? found.denominator : 1;
  return known(found.numerator, denominator);
}

const cache = new Map<string, FrameRate>();

/** The same object for the same rate, so that nothing is made again because of it. */
function known(numerator: number, denominator: number): FrameRate {
  const key = `${numerator}/${denominator}`;
  let rate = cache.get(key);
  if (!rate) cache.set(key, (rate = { numerator, denominator }));
  return rate;
}
