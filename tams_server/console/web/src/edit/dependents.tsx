// What depends on a resource that is to be deleted: the member `dependents` of a 409.
import { href } from "../router";
import { formatCount } from "../ui/time";

export interface Dependent {
  id?: string;
  timerange?: string;
  object_id?: string;
  flow_id?: string;
  segments?: number;
}

export type Dependents = Record<string, { count: number; more: boolean; first?: Dependent[] }>;

const TEXTS: Record<string, [one: string, many: string]> = {
  segments: ["segment", "segments"],
  objects: ["object that awaits its upload", "objects that await their upload"],
  collected_by: ["collection that has it", "collections that have it"],
  flow_delete_requests: ["deletion that is not finished", "deletions that are not finished"],
  flows: ["flow", "flows"],
  object_references: ["use of the same objects by another flow", "uses of the same objects by other flows"],
};

export function countDependents(dependents: Dependents): number {
  return Object.values(dependents).reduce((sum, each) => sum + each.count, 0);
}

export function DependentsList({ dependents, kind }: { dependents: Dependents; kind: "sources" | "flows" }) {
  return (
    <ul class="dependents">
      {Object.entries(dependents).map(([name, { count, more, first = [] }]) => {
        const [one, many] = TEXTS[name] ?? [name, name];
        return (
          <li key={name}>
            <details>
              <summary>
                <strong>{more ? "more than " : ""}{formatCount(count)}</strong> {count === 1 && !more ? one : many}
              </summary>
              <ul class="dependents-first">
                {first.map((each, index) => (
                  <li key={index}>
                    <DependentLink name={name} kind={kind} item={each} />
                  </li>
                ))}
                {(more || count > first.length) && <li class="muted">and more</li>}
              </ul>
            </details>
          </li>
        );
      })}
    </ul>
  );
}

function DependentLink({ name, kind, item }: { name: string; kind: "sources" | "flows"; item: Dependent }) {
  if (name === "object_references" && item.flow_id && item.object_id) {
    return (
      <>
        <a class="mono" href={href(`/flows/${encodeURIComponent(item.flow_id)}`)}>{item.flow_id}</a>, by{" "}
        {formatCount(item.segments ?? 1)} {item.segments === 1 ? "segment" : "segments"} with the object{" "}
        <a class="mono" href={href(`/objects/${encodeURIComponent(item.object_id)}`)}>{item.object_id}</a>
      </>
    );
  }
  if (item.timerange) return <span class="mono">{item.timerange}</span>;
  const objectId = item.object_id ?? (name === "objects" ? item.id : undefined);
  if (objectId) return <a class="mono" href={href(`/objects/${encodeURIComponent(objectId)}`)}>{objectId}</a>;
  const id = item.id ?? item.flow_id ?? "";
  if (name === "flow_delete_requests") return <a class="mono" href={href("/deletions")}>{id}</a>;
  const where = name === "flows" ? "flows" : kind;
  return <a class="mono" href={href(`/${where}/${encodeURIComponent(id)}`)}>{id}</a>;
}
