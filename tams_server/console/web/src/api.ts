// Requests to the server, with the credential of the session.
import { serverUrl } from "./config";
import { queryText, type Query } from "./router";
import { authorization, signOut } from "./session";

/** The body of an error response (application/problem+json), as far as the console shows it. */
export interface Problem {
  status: number;
  title?: string;
  detail?: string;
  code?: string;
  field?: string;
  behaviour?: string;
  type?: string;
  [member: string]: unknown;
}

/** An error that the server has reported, or that kept a request from it (status 0). */
export class ApiError extends Error {
  constructor(readonly problem: Problem, readonly method: string, readonly path: string) {
    super(problem.detail ?? problem.title ?? `status ${problem.status}`);
    this.name = "ApiError";
  }
  get status(): number {
    return this.problem.status;
  }
}

export interface RequestOptions {
  query?: Query;
  body?: unknown; // sent as JSON
  headers?: Record<string, string>;
  ifMatch?: string | undefined; // the ETag that a change is based on
  ifNoneMatch?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Send a request. path: below the server's URL, or the URL of a page link. Throws ApiError unless it is 2xx or 304. */
export async function request(method: string, path: string | URL, options: RequestOptions = {}): Promise<Response> {
  const url = path instanceof URL ? path : serverUrl(path + queryText(options.query ?? {}));
  const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
  const credential = authorization();
  if (credential !== null) headers["Authorization"] = credential;
  if (options.ifMatch !== undefined) headers["If-Match"] = options.ifMatch;
  if (options.ifNoneMatch !== undefined) headers["If-None-Match"] = options.ifNoneMatch;
  const init: RequestInit = { method, headers, credentials: "omit", cache: "no-store" };
  if (options.signal) init.signal = options.signal;
  if (options.body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(options.body);
  }
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError({ status: 0, title: "The server cannot be reached" }, method, String(path));
  }
  if (response.ok || response.status === 304) return response;
  const error = new ApiError(await readProblem(response), method, String(path));
  if (response.status === 401) signOut("The server no longer accepts the credential. Sign in again.");
  throw error;
}

async function readProblem(response: Response): Promise<Problem> {
  try {
    const problem = (await response.json()) as Problem;
    return { ...problem, status: response.status };
  } catch {
    return { status: response.status, title: response.statusText || `status ${response.status}` };
  }
}

export interface Answer<T> {
  data: T;
  etag: string | undefined;
}

/** GET a document. */
export async function getJson<T>(path: string, options: RequestOptions = {}): Promise<T> {
  return (await (await request("GET", path, options)).json()) as T;
}

/** GET a document with its ETag; null if it is still that of `ifNoneMatch`. */
export async function getIfChanged<T>(path: string | URL, options: RequestOptions = {}): Promise<Answer<T> | null> {
  const response = await request("GET", path, options);
  if (response.status === 304) return null;
  return { data: (await response.json()) as T, etag: response.headers.get("ETag") ?? undefined };
}

export interface Page<T> {
  items: T[];
  text: string; // of the body, to compare with that of another time
  next: URL | null; // the page after this one
  etag: string | undefined;
}

/** GET a page of a listing; null if the server says that it has not changed. */
export async function getPage<T>(path: string | URL, options: RequestOptions = {}): Promise<Page<T> | null> {
  const response = await request("GET", path, options);
  if (response.status === 304) return null;
  const text = await response.text();
  const next = nextLink(path, response.headers.get("Link"));
  return { items: JSON.parse(text) as T[], text, next, etag: response.headers.get("ETag") ?? undefined };
}

/** GET all pages of a listing that is known to be short, but no more than `most` items. */
export async function getAll<T>(path: string, options: RequestOptions = {}, most = 2000): Promise<T[]> {
  const found: T[] = [];
  let where: string | URL | null = path;
  while (where !== null && found.length < most) {
    const page: Page<T> | null = await getPage<T>(where, options);
    if (page === null) break;
    found.push(...page.items);
    where = page.next;
  }
  return found;
}

/**
 * The page after that at `path`. Only the query of the link counts: a proxy may not say how clients reach the server, and
 * the credential must go nowhere else.
 */
export function nextLink(path: string | URL, header: string | null): URL | null {
  const match = /<([^>]*)>\s*;[^,]*rel="?next"?/.exec(header ?? "");
  if (!match?.[1]) return null;
  const next = path instanceof URL ? new URL(path) : serverUrl(path);
  next.search = new URL(match[1], next).search;
  return next;
}

/** PUT, POST or DELETE. Returns the document of the response, or undefined if it has none. */
export async function send<T = unknown>(method: string, path: string, options: RequestOptions = {}): Promise<T | undefined> {
  const response = await request(method, path, options);
  const text = await response.text();
  return text ? (JSON.parse(text) as T) : undefined;
}

/** The path of a resource: segments are encoded. resourcePath("flows", id, "tags", name) */
export function resourcePath(...segments: string[]): string {
  return `/${segments.map(encodeURIComponent).join("/")}`;
}
