// Documents and listings that stay up to date while they can be seen.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { getIfChanged, getPage } from "./api";
import { queryText, type Query } from "./router";

/** How often a view that can be seen asks for changes, in milliseconds. */
export const REFRESH_MS = 4000;

/** Call `refresh` every so often while the page can be seen, and at once when it can be seen again. */
export function useRefresh(refresh: () => Promise<void>, every: number = REFRESH_MS): void {
  const latest = useRef(refresh);
  latest.current = refresh;
  useEffect(() => {
    if (every <= 0) return;
    let timer = 0;
    let stopped = false;
    const schedule = () => {
      clearTimeout(timer);
      if (!stopped && !document.hidden) timer = setTimeout(run, every);
    };
    const run = () => {
      latest.current().catch(() => undefined).finally(schedule);
    };
    const visible = () => {
      clearTimeout(timer);
      if (!document.hidden) run();
    };
    document.addEventListener("visibilitychange", visible);
    schedule();
    return () => {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", visible);
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

  const load = useCallback(async (signal?: AbortSignal) => {
    if (where === null) return;
    const known = current.current.where === where ? current.current.etag : undefined;
    try {
      const answer = await getIfChanged<T>(where, { ifNoneMatch: known, signal });
      if (signal?.aborted) return;
      if (answer) setState({ where, data: answer.data, etag: answer.etag });
      else if (current.current.error) setState((old) => ({ ...old, error: undefined }));
    } catch (error) {
      if (signal?.aborted) return;
      setState((old) => (old.where === where ? { ...old, error } : { where, error }));
    }
  }, [where]);

  useEffect(() => {
    const abort = new AbortController();
    void load(abort.signal);
    return () => abort.abort();
  }, [load]);
  useRefresh(() => load(), where === null ? 0 : every);

  const mine = state.where === where ? state : { data: undefined, error: undefined, etag: undefined };
  return { data: mine.data, error: mine.error, etag: mine.etag, reload: () => load() };
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
  first: T[];
  rest: T[];
  next: URL | null;
  etag?: string | undefined;
  loading: boolean;
  error?: unknown;
  read: boolean;
}

const PAGE = 200;

/**
 * A listing, page by page. The first page stays up to date; when it changes, further pages are read again as they are
 * reached, so that items are neither missing nor repeated.
 */
export function useListing<T extends { id: string }>(
  path: string,
  query: Query = {},
  options: { every?: number; limit?: number } = {},
): Listing<T> {
  const key = path + queryText({ ...query, limit: options.limit ?? PAGE });
  const empty: ListingState<T> = { key, first: [], rest: [], next: null, loading: true, read: false };
  const [state, setState] = useState<ListingState<T>>(empty);
  const current = useRef(state);
  current.current = state;
  const busy = useRef<AbortController | null>(null);

  const load = useCallback(async (signal?: AbortSignal) => {
    const known = current.current.key === key ? current.current.etag : undefined;
    try {
      const page = await getPage<T>(key, { ifNoneMatch: known, signal });
      if (signal?.aborted) return;
      setState((old) => {
        if (!page) return old.error ? { ...old, error: undefined } : old;
        const same = old.key === key && old.read && sameIds(old.first, page.items);
        const rest = same ? old.rest : [];
        const next = same && old.rest.length > 0 ? old.next : page.next;
        return { key, first: page.items, rest, next, etag: page.etag, loading: false, read: true };
      });
    } catch (error) {
      if (signal?.aborted) return;
      setState((old) => ({ ...(old.key === key ? old : empty), loading: false, error }));
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
    const { next, key: of } = current.current;
    if (!next || of !== key || busy.current) return;
    const abort = (busy.current = new AbortController());
    setState((old) => ({ ...old, loading: true }));
    getPage<T>(next, { signal: abort.signal })
      .then((page) => {
        setState((old) => {
          if (old.key !== key || old.next !== next || !page) return { ...old, loading: false };
          return { ...old, rest: [...old.rest, ...page.items], next: page.next, loading: false };
        });
      })
      .catch((error: unknown) => {
        if (!abort.signal.aborted) setState((old) => ({ ...old, loading: false, error }));
      })
      .finally(() => {
        if (busy.current === abort) busy.current = null;
      });
  }, [key]);

  const mine = state.key === key ? state : empty;
  return {
    items: useJoined(mine.first, mine.rest),
    error: mine.error,
    loading: mine.loading,
    complete: mine.read && mine.next === null,
    loadMore,
    reload: () => load(),
  };
}

function useJoined<T extends { id: string }>(first: T[], rest: T[]): T[] {
  const made = useRef<{ first: T[]; rest: T[]; joined: T[] }>({ first: [], rest: [], joined: [] });
  if (made.current.first !== first || made.current.rest !== rest) {
    const seen = new Set(first.map((item) => item.id));
    made.current = { first, rest, joined: [...first, ...rest.filter((item) => !seen.has(item.id))] };
  }
  return made.current.joined;
}

function sameIds(one: { id: string }[], other: { id: string }[]): boolean {
  return one.length === other.length && one.every((item, index) => item.id === other[index]?.id);
}
