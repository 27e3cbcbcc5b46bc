// The time of day, for texts such as "5 min ago": one timer for all of them.
import { createStore, useStore } from "../store";

const EVERY_MS = 20_000;
const now = createStore(Date.now());
setInterval(() => {
  if (!document.hidden) now.set(Date.now());
}, EVERY_MS);

/** The time in milliseconds, which is renewed three times a minute. */
export function useNow(): number {
  return Math.max(useStore(now), Date.now());
}
