// Small pieces of text: ids, timeranges, formats, states, facts.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useNow } from "./clock";
import { Icon } from "./icons";
import { toastError } from "./toast";
import { describeTimerange, formatAge, formatDate } from "./time";

/** An id, with a button that copies it. short: shows its first part only. */
export function Id({ id, short = false, link }: { id: string; short?: boolean; link?: string }) {
  const text = short ? id.slice(0, 8) : id;
  return (
    <span class="id">
      {link ? (
        <a class="mono" href={link} title={id}>
          {text}
        </a>
      ) : (
        <span class="mono" title={id}>
          {text}
        </span>
      )}
      <CopyButton text={id} label="Copy the id" />
    </span>
  );
}

export function CopyButton({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <button
      type="button"
      class="icon-button copy"
      aria-label={copied ? "Copied" : label}
      title={label}
      onClick={(event) => {
        event.stopPropagation();
        copy(text).then(() => {
          setCopied(true);
          setTimeout(() => setCopied(false), 1500);
        }, toastError);
      }}
    >
      <Icon name={copied ? "check" : "copy"} />
    </button>
  );
}

/** Put a text on the clipboard. Browsers offer it over HTTPS and on localhost only; elsewhere the old way may do. */
async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  const before = document.activeElement;
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  if (!done) throw new Error("The browser does not let this page copy: it would over HTTPS.");
}

const FORMATS: Record<string, string> = {
  "urn:x-nmos:format:video": "video",
  "urn:x-nmos:format:audio": "audio",
  "urn:x-nmos:format:data": "data",
  "urn:x-nmos:format:multi": "multi",
  "urn:x-tam:format:image": "image",
};

/** All formats: [URN, short name]. */
export const FORMAT_OPTIONS: readonly (readonly [string, string])[] = Object.entries(FORMATS);

export function formatName(urn: string | undefined): string {
  return (urn && FORMATS[urn]) ?? urn?.split(":").pop() ?? "";
}

export function Format({ urn }: { urn: string | undefined }) {
  const name = formatName(urn);
  return <span class={`format format-${name}`}>{name}</span>;
}

/** A state as a coloured word. */
export function Badge({ kind, children }: { kind: "good" | "bad" | "busy" | "plain"; children: ComponentChildren }) {
  return <span class={`badge ${kind}`}>{children}</span>;
}

export function Timerange({ text }: { text: string | undefined }) {
  if (text === undefined) return null;
  return (
    <span class="timerange">
      <span class="mono">{text}</span> <span class="muted">{describeTimerange(text)}</span>
    </span>
  );
}

export function Age({ date }: { date: string | undefined }) {
  const now = useNow();
  return date ? (
    <time dateTime={date} title={formatDate(date)}>
      {formatAge(date, now)}
    </time>
  ) : null;
}

/** When something was done, and by whom. */
export function By({ date, name }: { date: string | undefined; name: string | undefined }) {
  return (
    <>
      <Age date={date} />
      {name && <span class="muted"> by <bdi>{name}</bdi></span>}
    </>
  );
}

/** The label of a resource, which is kept apart from the text around it whatever its direction, or its id. */
export function Label({ label, id }: { label: string | undefined; id: string }) {
  return label ? <bdi>{label}</bdi> : <span class="mono">{id}</span>;
}

/** Names and values side by side. Rows whose value is undefined, null or "" are left out. */
export function Facts({ rows }: { rows: readonly (readonly [name: string, value: ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {rows.map(([name, value]) =>
        value === undefined || value === null || value === "" ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}
