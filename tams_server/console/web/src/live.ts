// Documents and listings that stay up to date while they can be seen.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { getIfChanged, getPage } from "./api";
import { queryText, type Query } from "./router";

/** How often a view that can be seen asks for changes, in milliseconds. */
export const REFRESH_MS = 4000;
const STEADY = 5; // refreshes without a change after which the pauses grow
const LONGEST = 5; // times as long as at first
const USES = ["keydown", "pointerdown", "wheel"] as const;

/** The pause before the next refresh, after so many that found nothing new. */
function pauseAfter(unchanged: number, every: number): number {
  return every * Math.min(LONGEST, Math.max(1, unchanged / STEADY));
}

/**
 * Call `refresh` every so often while the page can be seen, and at once when it can be seen again. Where it keeps returning
 * false, because nothing has changed, the pauses grow until somebody uses the page.
 */
export function useRefresh(refresh: () => Promise<boolean | void>, every: number = REFRESH_MS): void {
  const latest = useRef(refresh);
  latest.current = refresh;
  useEffect(() => {
    if (every <= 0) return;
    let timer = 0;
    let stopped = false;
    let running = false;
    let unchanged = 0;
    let last = performance.now();
    const schedule = () => {
      clearTimeout(timer);
      if (stopped || running || document.hidden) return;
      timer = setTimeout(run, Math.max(0, last + pauseAfter(unchanged, every) - performance.now()));
    };
    const run = () => {
      running = true;
      latest.current()
        .then((changed) => {
          unchanged = changed === false ? unchanged + 1 : 0;
        }, () => undefined)
        .finally(() => {
          running = false;
          last = performance.now();
          schedule();
        });
    };
    const visible = () => {
      clearTimeout(timer);
      unchanged = 0;
      if (!document.hidden && !running) run();
    };
    const used = () => {
      if (unchanged <= STEADY) return;
      unchanged = 0;
      schedule();
    };
    document.addEventListener("visibilitychange", visible);
    for (const use of USES) document.addEventListener(use, used, { passive: true, capture: true });
    schedule();
    return () => {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", visible);
      for (const use of USES) document.removeEventListener(use, used, { capture: true });
    };
  }, [every]);
}

export interface Resource<T> {
  data: T | undefined;
  error: unknown;
  etag: string | undefined; // for If-Match of a change
  reload(): Promise<void>;
}

/** A document of the server. path: null while it is not needed. every: 0 to read it once. */
export function useResource<T>(path: string | null, query: Query = {}, every: number = REFRESH_MS): Resource<T> {
  const where = path === null ? null : path + queryText(query);
  const [state, setState] = useState<{ where: string | null; data?: T; error?: unknown; etag?: string | undefined }>({
    where: null,
  });
  const current = useRef(state);
  current.current = state;

  const load = useCallback(async (signal?: AbortSignal): Promise<boolean> => {
    if (where === null) return false;
    const known = current.current.where === where ? current.current.etag : undefined;
    try {
      const answer = await getIfChanged<T>(where, { ifNoneMatch: known, signal });
      if (signal?.aborted) return false;
      const failed = Boolean(current.current.error);
      if (answer) setState({ where, data: answer.data, etag: answer.etag });
      else if (failed) setState((old) => ({ ...old, error: undefined }));
      return answer !== null || failed;
    } catch (error) {
      if (signal?.aborted) return false;
      setState((old) => (old.where === where ? { ...old, error } : { where, error }));
      return false;
    }
  }, [where]);

  useEffect(() => {
    const abort = new AbortController();
    void load(abort.signal);
    return () => abort.abort();
  }, [load]);
  useRefresh(() => load(), where === null ? 0 : every);

  const mine = state.where === where ? state : { data: undefined, error: undefined, etag: undefined };
  return { data: mine.data, error: mine.error, etag: mine.etag, reload: async () => void (await load()) };
}

export interface Listing<T> {
  items: T[];
  error: unknown;
  loading: boolean;
  complete: boolean; // there are no further pages
  loadMore(): void;
  reload(): Promise<void>;
}

interface ListingState<T> {
  key: string;
  items: T[];
  text: string; // of the first page as it was last read
  next: URL | null;
  loading: boolean;
  error?: unknown;
  read: boolean;
}

const PAGE = 100;
const FURTHER_PAGE = 500;

/**
 * A listing, page by page. Its first page stays up to date: what has come, changed or gone there is shown without
 * losing the pages that have been read after it.
 */
export function useListing<T extends { id: string }>(
  path: string,
  query: Query = {},
  options: { every?: number; limit?: number } = {},
): Listing<T> {
  const key = path + queryText({ ...query, limit: options.limit ?? PAGE });
  const empty: ListingState<T> = { key, items: [], text: "", next: null, loading: true, read: false };
  const [state, setState] = useState<ListingState<T>>(empty);
  const current = useRef(state);
  current.current = state;
  const busy = useRef<AbortController | null>(null);

  const load = useCallback(async (signal?: AbortSignal): Promise<boolean> => {
    try {
      const page = await getPage<T>(key, { signal });
      if (signal?.aborted || !page) return false;
      const { key: of, text, error: failed } = current.current;
      setState((old) => {
        if (old.key !== key || !old.read) {
          return { key, items: page.items, text: page.text, next: page.next, loading: false, read: true };
        }
        if (old.text === page.text) return old.error ? { ...old, error: undefined } : old;
        return { ...old, ...mergeFirst(old, page), text: page.text, error: undefined };
      });
      return of !== key || text !== page.text || failed !== undefined;
    } catch (error) {
      if (signal?.aborted) return false;
      setState((old) => ({ ...(old.key === key ? old : empty), loading: false, error }));
      return false;
    }
  }, [key]);

  useEffect(() => {
    const abort = new AbortController();
    busy.current?.abort();
    busy.current = null;
    void load(abort.signal);
    return () => abort.abort();
  }, [load]);
  useRefresh(() => load(), options.every ?? REFRESH_MS);

  const loadMore = useCallback(() => {
    const { next, key: of, error } = current.current;
    if (!next || of !== key || busy.current || error) return;
    const abort = (busy.current = new AbortController());
    const further = new URL(next);
    if (options.limit === undefined) further.searchParams.set("limit", String(FURTHER_PAGE));
    setState((old) => ({ ...old, loading: true }));
    getPage<T>(further, { signal: abort.signal })
      .then((page) => {
        setState((old) => {
          if (old.key !== key || old.next !== next || !page) return { ...old, loading: false };
          const known = new Set(old.items.map((item) => item.id));
          const items = [...old.items, ...page.items.filter((item) => !known.has(item.id))];
          return { ...old, items, next: page.next, loading: false };
        });
      })
      .catch((error: unknown) => {
        if (!abort.signal.aborted) setState((old) => ({ ...old, loading: false, error }));
      })
      .finally(() => {
        if (busy.current === abort) busy.current = null;
      });
  }, [key]);

  const { items, error, loading, next, read } = state.key === key ? state : empty;
  return { items, error, loading, complete: read && next === null, loadMore, reload: async () => void (await load()) };
}

/** The items after the first page has been read again. Where nothing of it is known, later pages are read again too. */
function mergeFirst<T extends { id: string }>(
  old: { items: T[]; next: URL | null },
  page: { items: T[]; next: URL | null },
): { items: T[]; next: URL | null } {
  const last = page.items.at(-1);
  const position = page.next && last ? old.items.findIndex((item) => item.id === last.id) : -1;
  if (position < 0) return { items: page.items, next: page.next };
  const fresh = new Set(page.items.map((item) => item.id));
  const rest = old.items.slice(position + 1).filter((item) => !fresh.has(item.id));
  return { items: [...page.items, ...rest], next: rest.length > 0 ? old.next : page.next };
}
