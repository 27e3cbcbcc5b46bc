// What a view shows while there is nothing, and when something went wrong.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../api";
import { serverUrl } from "../config";
import { Icon } from "./icons";

/** Shown only if loading takes long enough to be noticed. */
export function Loading({ label = "Loading" }: { label?: string }) {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), 250);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class="state" role="status">
      {shown && <span class="spinner" aria-hidden="true" />}
      {shown && `${label}…`}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="state">
      <p class="state-title">{title}</p>
      {children && <div class="state-text">{children}</div>}
    </div>
  );
}

/** An error with what the server says of it: the field, the rule, and its code, which links to its description. */
export function ErrorBox({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div class="error-box" role="alert">
      <Icon name="warning" />
      <div class="error-text">
        <ErrorText error={error} />
      </div>
      {retry && (
        <button type="button" class="button small" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function ErrorText({ error }: { error: unknown }) {
  if (!(error instanceof ApiError)) return <p>{error instanceof Error ? error.message : String(error)}</p>;
  const { problem } = error;
  const facts = [
    problem.field && ["field", problem.field],
    problem.behaviour && ["rule", problem.behaviour],
    problem.code && ["code", problem.code],
    problem.status > 0 && ["status", String(problem.status)],
  ].filter((fact): fact is [string, string] => Array.isArray(fact));
  return (
    <>
      <p>{error.message}</p>
      {facts.length > 0 && (
        <p class="error-facts">
          {facts.map(([name, value]) => (
            <span key={name}>
              {name} <code>{value}</code>
            </span>
          ))}
        </p>
      )}
    </>
  );
}

/** A note above a view whose refresh has failed; the view shows what was last read. */
export function StaleNote({ error }: { error: unknown }) {
  if (!error) return null;
  return (
    <p class="stale-note" role="status">
      <Icon name="warning" /> Not up to date: {error instanceof Error ? error.message : String(error)}
    </p>
  );
}

export function DocsLink({ children }: { children: ComponentChildren }) {
  return <a href={serverUrl("docs").href}>{children}</a>;
}
