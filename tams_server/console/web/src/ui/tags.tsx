// Tags of a resource. A tag has one value or a list of them.

export type TagValue = string | string[];
export type Tags = Record<string, TagValue>;

export function tagText(value: TagValue): string {
  return Array.isArray(value) ? value.join(", ") : value;
}

export function TagList({ tags, most = Infinity }: { tags: Tags | undefined; most?: number }) {
  const entries = Object.entries(tags ?? {});
  if (entries.length === 0) return null;
  return (
    <ul class="tags">
      {entries.slice(0, most).map(([name, value]) => (
        <li key={name} class="tag" title={`${name}: ${tagText(value)}`}>
          <span class="tag-name">{name}</span> {tagText(value)}
        </li>
      ))}
      {entries.length > most && <li class="muted">+{entries.length - most}</li>}
    </ul>
  );
}
