// The filters of listings, which stand in the query of the page so that a view can be bookmarked.
import { useEffect, useState } from "preact/hooks";
import { replaceQuery, type Query } from "../router";
import { Icon } from "../ui/icons";
import { FORMAT_OPTIONS } from "../ui/text";

const PLAIN = ["label", "format", "codec", "source_id", "sort_by", "reverse_order"] as const;

/** The query of the listing for that of the page. A tag stands as `tag=name=value`, or as `tag=name` for any value. */
export function listingQuery(query: URLSearchParams): Query {
  const found: Record<string, string> = {};
  for (const name of PLAIN) {
    const value = query.get(name);
    if (value) found[name] = value;
  }
  const tag = query.get("tag");
  if (tag) {
    const [name = "", value] = splitTag(tag);
    if (value === undefined) found[`tag_exists.${name}`] = "true";
    else found[`tag.${name}`] = value;
  }
  return found;
}

/** The label that is searched for, if nothing else is. */
export function onlyLabel(query: URLSearchParams): string | null {
  return ["format", "codec", "source_id", "tag"].some((name) => query.get(name)) ? null : query.get("label");
}

function splitTag(text: string): [string, string?] {
  const position = text.indexOf("=");
  return position < 0 ? [text.trim()] : [text.slice(0, position).trim(), text.slice(position + 1).trim()];
}

export function sortOf(query: URLSearchParams): { by: string; reverse: boolean } {
  return { by: query.get("sort_by") ?? "created", reverse: query.get("reverse_order") === "true" };
}

/** The query after a click on the heading of a column. */
export function nextSort(query: URLSearchParams, by: string): Query {
  const { by: old, reverse } = sortOf(query);
  return { ...Object.fromEntries(query), sort_by: by === "created" ? null : by, reverse_order: old === by && !reverse };
}

export function FilterBar({ query, codec = false }: { query: URLSearchParams; codec?: boolean }) {
  const change = (name: string, value: string) => replaceQuery({ ...Object.fromEntries(query), [name]: value });
  const active = ["label", "format", "codec", "source_id", "tag"].some((name) => query.get(name));
  return (
    <div class="filter-bar" role="search" aria-label="Filters">
      <FilterText name="label" title="Label" value={query.get("label") ?? ""} placeholder="Label" onChange={change} />
      <label class="filter">
        <span class="visually-hidden">Format</span>
        <select class="input" onChange={(event) => change("format", event.currentTarget.value)}>
          <option value="">All formats</option>
          {FORMAT_OPTIONS.map(([urn, name]) => (
            <option key={urn} value={urn} selected={query.get("format") === urn}>{name}</option>
          ))}
        </select>
      </label>
      {codec && <FilterText name="codec" title="Codec" value={query.get("codec") ?? ""} placeholder="Codec, such as video/h264" onChange={change} />}
      <FilterText name="tag" title="Tag" value={query.get("tag") ?? ""} placeholder="Tag: name or name=value" onChange={change} />
      {query.get("source_id") && <span class="filter-note">of the source <code>{query.get("source_id")?.slice(0, 8)}</code></span>}
      {active && (
        <button type="button" class="button" onClick={() => replaceQuery({ sort_by: query.get("sort_by"), reverse_order: query.get("reverse_order") })}>
          <Icon name="close" />
          Clear
        </button>
      )}
    </div>
  );
}

interface FilterTextProps {
  name: string;
  title: string;
  value: string;
  placeholder: string;
  onChange: (name: string, value: string) => void;
}

const TYPING_MS = 350;

function FilterText({ name, title, value, placeholder, onChange }: FilterTextProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onChange(name, text.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <label class="filter">
      <span class="visually-hidden">{title}</span>
      <input
        class="input"
        type="search"
        placeholder={placeholder}
        spellcheck={false}
        autocomplete="off"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
    </label>
  );
}
