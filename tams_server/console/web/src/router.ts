// Hash routing: #/flows/ID?tab=tags. The part after "?" is the state of a page.
import { createStore, useStore } from "./store";

export interface Route {
  path: string;
  query: URLSearchParams;
}

export type Query = Record<string, string | number | boolean | null | undefined>;

function read(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#/, "").split("?", 2);
  return { path: path || "/", query: new URLSearchParams(query) };
}

const route = createStore<Route>(read());
addEventListener("hashchange", () => route.set(read()));

export function useRoute(): Route {
  return useStore(route);
}

export function queryText(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "" && value !== false) parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text ? `?${text}` : "";
}

/** The link to a page of the console. Segments of a path must be encoded by encodeURIComponent. */
export function href(path: string, query: Query = {}): string {
  return `#${path}${queryText(query)}`;
}

export function navigate(path: string, query: Query = {}): void {
  location.hash = href(path, query);
}

/** Change the query of this page without a new entry in the history. */
export function replaceQuery(query: Query): void {
  history.replaceState(null, "", `${location.pathname}${location.search}${href(read().path, query)}`);
  route.set(read());
}

/** Match "/flows/:id" with a path. Returns the decoded parameters, or null. */
export function matchPath(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return null;
  const found: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const segment = given[index] ?? "";
    if (part.startsWith(":")) {
      if (!segment) return null;
      try {
        found[part.slice(1)] = decodeURIComponent(segment);
      } catch {
        return null;
      }
    } else if (part !== segment) return null;
  }
  return found;
}
