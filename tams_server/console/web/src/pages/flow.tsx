// A flow: picture, timeline, what it is, its segments, and the cuts that can be made of it.
import { useEffect, useRef, useState } from "preact/hooks";
import { resourcePath } from "../api";
import { DeletePanel } from "../edit/delete_panel";
import { EditPanel } from "../edit/edit_panel";
import { useResource } from "../live";
import { href } from "../router";
import type { PageProps } from "../routes";
import { hasDates } from "../timeline/clock";
import { parseTimerange } from "../ui/time";
import type { Flow } from "../types";
import { Page, Section } from "../ui/page";
import { Empty, ErrorBox, Loading, StaleNote } from "../ui/states";
import { Badge, Format, Id, formatName } from "../ui/text";
import { FlowFacts } from "./flow_facts";
import { FlowCollections } from "./flow_collections";
import { FlowSegments } from "./flow_segments";
import { FlowWorkspace, type Marked } from "./flow_workspace";
import { frameRateOf } from "./flow_rate";
import type { Range } from "../timeline/view";

export default function FlowPage({ params }: PageProps) {
  const path = resourcePath("flows", params["id"] ?? "");
  const { data: flow, error, reload } = useResource<Flow>(path, { include_timerange: true });
  const [marked, setMarked] = useState<Marked | null>(null);
  const goTo = useRef<((moment: bigint) => void) | null>(null);
  const top = useRef<HTMLDivElement>(null);
  useEffect(() => setMarked(null), [path]);
  if (!flow) return error ? <ErrorBox error={error} retry={() => void reload()} /> : <Loading />;
  const content = contentOf(flow);
  const rate = frameRateOf(flow);
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
      <div ref={top} />
      {content ? (
        <FlowWorkspace flow={flow} content={content} rate={rate} goTo={goTo} onMarked={setMarked} />
      ) : (
        <Section title="Timeline">
          <Empty title={flow.flow_collection?.length ? "This flow has no segments of its own" : "This flow has no segments yet"}>
            {flow.flow_collection?.length ? "The flows that it collects are below." : "The timeline appears with the first one."}
          </Empty>
        </Section>
      )}
      {content && (
        <FlowSegments
          flow={flow}
          content={content}
          rate={rate}
          dates={hasDates(content.start)}
          selected={marked?.start ?? null}
          onSelect={(segment) => {
            goTo.current?.(segment.start);
            top.current?.scrollIntoView({ block: "start", behavior: "auto" });
          }}
        />
      )}
      <div class="columns">
        <FlowFacts flow={flow} />
        <EditPanel kind="flows" id={flow.id} document={flow} onChange={reload} />
      </div>
      <FlowCollections flow={flow} />
      <DeletePanel kind="flows" id={flow.id} document={flow} />
    </Page>
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

function contentOf(flow: Flow): Range | null {
  const span = flow.timerange === undefined ? null : parseTimerange(flow.timerange);
  return span && span.start !== null && span.end !== null && span.start < span.end ? { start: span.start, end: span.end } : null;
}
