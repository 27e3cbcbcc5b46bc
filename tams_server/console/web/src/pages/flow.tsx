// A flow: picture, timeline, what it is, its segments, and the cuts that can be made of it.
import { useEffect, useRef, useState } from "preact/hooks";
import { resourcePath } from "../api";
import { DeletePanel } from "../edit/delete_panel";
import { EditPanel } from "../edit/edit_panel";
import { useResource } from "../live";
import { href } from "../router";
import type { PageProps } from "../page_props";
import { hasDates } from "../timeline/clock";
import type { Segment } from "../timeline/segments";
import type { Flow } from "../types";
import { Page, Section } from "../ui/page";
import { Empty, ErrorBox, Loading, StaleNote } from "../ui/states";
import { Badge, Format, Id, formatName } from "../ui/text";
import { FlowFacts } from "./flow_facts";
import { FlowCollections } from "./flow_collections";
import { FlowSegments } from "./flow_segments";
import { FlowWorkspace } from "./flow_workspace";
import { useLead } from "./flow_lead";

export default function FlowPage({ params }: PageProps) {
  const path = resourcePath("flows", params["id"] ?? "");
  const { data: flow, error, reload } = useResource<Flow>(path, { include_timerange: true });
  if (!flow) return error ? <ErrorBox error={error} retry={() => void reload()} /> : <Loading />;
  return (
    <Page
      title={flow.label || "Flow without a label"}
      documentTitle={flow.label || flow.id}
      crumbs={[["Flows", "/flows"]]}
      subtitle={
        <>
          <Format urn={flow.format} /> <Id id={flow.id} /> <Status flow={flow} />
        </>
      }
    >
      <StaleNote error={error} />
      <FlowMedia flow={flow} reload={reload} />
      <div class="columns">
        <FlowFacts flow={flow} />
        <EditPanel kind="flows" id={flow.id} document={flow} onChange={reload} />
      </div>
      <FlowCollections flow={flow} />
      <DeletePanel kind="flows" id={flow.id} document={flow} />
    </Page>
  );
}

/** Player, timeline and segments: of the flow, or of what it collects. */
function FlowMedia({ flow, reload }: { flow: Flow; reload: () => Promise<void> }) {
  const { lead, error, retry } = useLead(flow);
  const [deletions, setDeletions] = useState(0); // of segments, since the page was opened
  const [marked, setMarked] = useState<Segment | null>(null);
  const goTo = useRef<((moment: bigint) => void) | null>(null);
  const top = useRef<HTMLDivElement>(null);
  useEffect(() => setMarked(null), [flow.id]);
  if (lead === undefined) return error ? <ErrorBox error={error} retry={retry} /> : <Loading />;
  if (lead === null) {
    const collects = Boolean(flow.flow_collection?.length);
    return (
      <Section title="Timeline">
        <Empty title={collects ? "Neither this flow nor those that it collects have segments yet" : "This flow has no segments yet"}>
          The timeline appears with the first one.
        </Empty>
      </Section>
    );
  }
  const { content, rate } = lead;
  const collected = lead.flow.id !== flow.id;
  return (
    <>
      <div ref={top} />
      <FlowWorkspace
        key={`${flow.id} ${lead.flow.id}`}
        flow={flow}
        lead={lead}
        goTo={goTo}
        onMarked={setMarked}
        onDeleted={() => {
          setDeletions((count) => count + 1);
          void reload();
        }}
      />
      {collected && (
        <p class="muted">
          Timeline and segments are those of <a href={href(`/flows/${lead.flow.id}`)}>{lead.flow.label || "the flow that it collects"}</a>.
        </p>
      )}
      <FlowSegments
        key={deletions}
        flow={lead.flow}
        content={content}
        rate={rate}
        dates={hasDates(content.start)}
        selected={marked?.start ?? null}
        onSelect={(segment) => {
          goTo.current?.(segment.start);
          top.current?.scrollIntoView({ block: "start", behavior: "auto" });
        }}
      />
    </>
  );
}

function Status({ flow }: { flow: Flow }) {
  const { status } = flow;
  return (
    <>
      {status && <Badge kind={status === "ingesting" ? "busy" : "plain"}>{status.replaceAll("_", " ")}</Badge>}{" "}
      {flow.read_only && <Badge kind="plain">read only</Badge>}{" "}
      <a class="subtle-link" href={href(`/sources/${flow.source_id}`)}>Source of this {formatName(flow.format)}</a>
    </>
  );
}
