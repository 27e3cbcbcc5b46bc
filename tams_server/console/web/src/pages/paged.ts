// A listing whose items have no id: page by page, its first page kept up to date while there is no other.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { getPage } from "../api";
import { REFRESH_MS, useRefresh } from "../live";
import { queryText, type Query } from "../router";

export interface Paged<T> {
  items: T[];
  error: unknown;
  complete: boolean;
  loadMore: () => void;
  reload: () => Promise<void>;
}

interface State<T> {
  where: string;
  items: T[];
  pages: number;
  text: string; // of the first page
  next: URL | null;
  error?: unknown;
}

export function usePaged<T>(path: string, query: Query, every: number = REFRESH_MS): Paged<T> {
  const where = path + queryText({ limit: 200, ...query });
  const empty: State<T> = { where, items: [], pages: 0, text: "", next: null };
  const [state, setState] = useState<State<T>>(empty);
  const mine = state.where === where ? state : empty;
  const current = useRef(mine);
  current.current = mine;
  const busy = useRef(false);

  const load = useCallback(async (signal?: AbortSignal): Promise<boolean> => {
    try {
      const page = await getPage<T>(where, { signal });
      if (!page || signal?.aborted) return false;
      const { text, error: failed } = current.current;
      const changed = text !== page.text || failed !== undefined;
      setState((old) =>
        changed || old.pages !== 1 ? { where, items: page.items, pages: 1, text: page.text, next: page.next } : old,
      );
      return changed;
    } catch (error) {
      if (!signal?.aborted) setState((old) => ({ ...(old.where === where ? old : empty), error }));
      return false;
    }
  }, [where]);
  useEffect(() => {
    const abort = new AbortController();
    void load(abort.signal);
    return () => abort.abort();
  }, [load]);
  // By itself only the first page: those who have read further would lose the rest.
  useRefresh(async () => current.current.pages <= 1 && load(), every);

  const loadMore = useCallback(() => {
    const { next } = current.current;
    if (!next || busy.current) return;
    busy.current = true;
    getPage<T>(next)
      .then((page) =>
        setState((old) =>
          old.where !== where || old.next !== next || !page
            ? old
            : { ...old, items: [...old.items, ...page.items], pages: old.pages + 1, next: page.next },
        ),
      )
      .catch((error: unknown) => setState((old) => ({ ...old, next: null, error })))
      .finally(() => {
        busy.current = false;
      });
  }, [where]);

  return { items: mine.items, error: mine.error, complete: mine.pages > 0 && mine.next === null, loadMore, reload: async () => void (await load()) };
}
