// What a view reads in parts, each of which is tried again after an error, after longer and longer pauses.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

export interface Retry {
  error: unknown; // of a part that could not be read, or null
  attempt: number; // changes when what failed is to be read again
  /** Report how the reading of a part ended: with null, or with an error. */
  ended: (part: string, error: unknown) => void;
  now: () => void;
}

export function useRetry(): Retry {
  const [attempt, setAttempt] = useState(0);
  const [errors, setErrors] = useState<Record<string, unknown>>({});
  const failed = useRef(new Set<string>());
  const timer = useRef(0);
  const pause = useRef(FIRST_MS);
  const now = useCallback(() => {
    clearTimeout(timer.current);
    timer.current = 0;
    setAttempt((count) => count + 1);
  }, []);
  const ended = useCallback((part: string, error: unknown) => {
    if (error === null) {
      if (!failed.current.delete(part)) return;
      if (failed.current.size === 0) pause.current = FIRST_MS;
    } else {
      failed.current.add(part);
      if (timer.current === 0) {
        timer.current = setTimeout(now, pause.current);
        pause.current = Math.min(2 * pause.current, LONGEST_MS);
      }
    }
    setErrors((old) => ({ ...old, [part]: error }));
  }, []);
  useEffect(() => () => clearTimeout(timer.current), []);
  const error = Object.values(errors).find((each) => each !== null) ?? null;
  return useMemo(() => ({ error, attempt, ended, now }), [error, attempt]);
}
