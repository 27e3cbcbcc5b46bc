// The flows that a flow collects, and those that collect it.
import { resourcePath } from "../api";
import { useResource } from "../live";
import { href } from "../router";
import type { Flow } from "../types";
import { Section } from "../ui/page";
import { Format, Id } from "../ui/text";

const MOST = 50;

export function FlowCollections({ flow }: { flow: Flow }) {
  const members = flow.flow_collection ?? [];
  const collectors = flow.collected_by ?? [];
  if (members.length + collectors.length === 0) return null;
  return (
    <Section title="Collections">
      {members.length > 0 && (
        <>
          <h3>Collects</h3>
          <ul class="line-list">
            {members.slice(0, MOST).map((member) => <Line key={`${member.id} ${member.role}`} id={member.id} role={member.role} />)}
          </ul>
        </>
      )}
      {collectors.length > 0 && (
        <>
          <h3>Collected by</h3>
          <ul class="line-list">{collectors.slice(0, MOST).map((id) => <Line key={id} id={id} />)}</ul>
        </>
      )}
      {Math.max(members.length, collectors.length) > MOST && <p class="muted">The first {MOST} of them.</p>}
    </Section>
  );
}

function Line({ id, role }: { id: string; role?: string }) {
  const { data } = useResource<Flow>(resourcePath("flows", id), {}, 0);
  return (
    <li>
      {data && <Format urn={data.format} />}
      <a href={href(`/flows/${id}`)}>{data?.label || "Flow without a label"}</a>
      {role && <span class="muted">{role}</span>}
      <Id id={id} short />
    </li>
  );
}
