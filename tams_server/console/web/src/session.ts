// Who is signed in. The credential is kept for this tab (sessionStorage), and never in a URL.
import { baseUrl, loadSettings, serverUrl, type ConsoleSettings, type Scope } from "./config";
import { createStore, useStore } from "./store";

export interface Session {
  authorization: string | null; // the header's value; null where the server asks for none
  name: string;
  scopes: Scope[];
  groups: string[];
  restricted: boolean; // whether classes decide too (authorisation)
}

export type SessionState =
  | { status: "starting" }
  | { status: "signed-out"; message?: string }
  | { status: "signed-in"; session: Session };

const CREDENTIAL_KEY = "tams-console-credential";
const PENDING_KEY = "tams-console-sign-in";

export const sessionState = createStore<SessionState>({ status: "starting" });

export function useSession(): Session {
  const state = useStore(sessionState);
  if (state.status !== "signed-in") throw new Error("nobody is signed in");
  return state.session;
}

/** Whether the caller has one of the scopes. What an operation needs is in the OpenAPI document, as x-scopes. */
export function useMay(...scopes: Scope[]): boolean {
  const state = useStore(sessionState);
  return state.status === "signed-in" && mayUse(state.session, scopes);
}

export function mayUse(session: Session, scopes: readonly Scope[]): boolean {
  return session.scopes.includes("admin") || scopes.some((scope) => session.scopes.includes(scope));
}

export function authorization(): string | null {
  const state = sessionState.get();
  return state.status === "signed-in" ? state.session.authorization : null;
}

/** Continue where this tab was: a credential, or the way back from an identity provider. */
export async function resumeSession(): Promise<void> {
  try {
    const settings = await loadSettings();
    const pending = sessionStorage.getItem(PENDING_KEY);
    if (pending && /[?&](code|error)=/.test(location.search)) {
      sessionStorage.removeItem(PENDING_KEY);
      const { finishCodeFlow } = await import("./code_flow");
      const returned = new URL(location.href);
      const { hash, ...state } = JSON.parse(pending) as PendingSignIn;
      history.replaceState(null, "", `${location.pathname}${hash}`);
      await signIn(`Bearer ${await finishCodeFlow(settings, state, returned, redirectUrl())}`);
      dispatchEvent(new Event("hashchange"));
      return;
    }
    const stored = sessionStorage.getItem(CREDENTIAL_KEY);
    if (stored) await signIn(stored);
    else if (settings.authentication === "off") await signIn(null);
    else sessionState.set({ status: "signed-out" });
  } catch (error) {
    if (error instanceof SignInError && error.status === 401) sessionStorage.removeItem(CREDENTIAL_KEY);
    sessionState.set({ status: "signed-out", message: String(error instanceof Error ? error.message : error) });
  }
}

/** What the server says about a credential that it does not accept, or why it cannot tell (503). */
class SignInError extends Error {
  constructor(message: string, readonly status: number) {
    super(message);
    this.name = "SignInError";
  }
}

/** Sign in with a value of the Authorization header. Throws SignInError, or TypeError if there is no server. */
export async function signIn(value: string | null): Promise<void> {
  const response = await fetch(serverUrl("console/session.json"), {
    credentials: "omit",
    headers: value === null ? {} : { Authorization: value },
  });
  if (!response.ok) throw new SignInError(await problemText(response), response.status);
  const found = (await response.json()) as Omit<Session, "authorization">;
  if (value !== null) sessionStorage.setItem(CREDENTIAL_KEY, value);
  sessionState.set({ status: "signed-in", session: { ...found, authorization: value } });
}

/** Fetch a token of the server's own endpoint for a client and its secret, and sign in with it. */
export async function signInAsClient(settings: ConsoleSettings, id: string, secret: string): Promise<void> {
  const response = await fetch(serverUrl(settings.token_url), {
    method: "POST",
    credentials: "omit",
    body: new URLSearchParams({ grant_type: "client_credentials", client_id: id, client_secret: secret }),
  });
  if (!response.ok) throw new SignInError(await problemText(response), response.status);
  const { access_token } = (await response.json()) as { access_token: string };
  await signIn(`Bearer ${access_token}`);
}

export async function signInWithPassword(user: string, password: string): Promise<void> {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  await signIn(`Basic ${btoa(String.fromCharCode(...bytes))}`);
}

interface PendingSignIn {
  verifier: string;
  state: string;
  hash: string;
}

/** Go to the identity provider. The page is left; `resumeSession` goes on when the person comes back. */
export async function startCodeFlow(settings: ConsoleSettings, scopes: readonly Scope[]): Promise<void> {
  const { beginCodeFlow } = await import("./code_flow");
  const { url, verifier, state } = await beginCodeFlow(settings, scopes, redirectUrl());
  const pending: PendingSignIn = { verifier, state, hash: location.hash };
  sessionStorage.setItem(PENDING_KEY, JSON.stringify(pending));
  location.assign(url);
}

export function redirectUrl(): string {
  return new URL("console", baseUrl).href;
}

export function signOut(message?: string): void {
  sessionStorage.removeItem(CREDENTIAL_KEY);
  sessionState.set(message === undefined ? { status: "signed-out" } : { status: "signed-out", message });
}

async function problemText(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const problem = JSON.parse(text) as { detail?: string; title?: string; error_description?: string };
    return problem.detail ?? problem.error_description ?? problem.title ?? `status ${response.status}`;
  } catch {
    return `status ${response.status}`;
  }
}
