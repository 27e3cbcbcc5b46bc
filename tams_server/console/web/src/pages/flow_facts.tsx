// The technical metadata of a flow.
import { href } from "../router";
import type { Flow } from "../types";
import { Section } from "../ui/page";
import { Age, By, Facts, Id, Timerange } from "../ui/text";
import { formatRate } from "../ui/time";

export function FlowFacts({ flow }: { flow: Flow }) {
  const essence = flow.essence_parameters ?? {};
  const rate = essence["frame_rate"] as { numerator?: number; denominator?: number } | undefined;
  const duration = flow.segment_duration;
  return (
    <Section title="Technical metadata">
      <Facts
        rows={[
          ["Source", <Id key="source" id={flow.source_id} link={href(`/sources/${flow.source_id}`)} />],
          ["Timerange", <Timerange key="timerange" text={flow.timerange} />],
          ["Codec", flow.codec],
          ["Container", flow.container],
          ["Picture", size(essence)],
          ["Frame rate", rate?.numerator && `${round(rate.numerator / (rate.denominator || 1))} frames/s`],
          ["Scan", text(essence["interlace_mode"])?.replaceAll("_", " ")],
          ["Colour", [text(essence["colorspace"]), text(essence["transfer_characteristic"])].filter(Boolean).join(", ")],
          ["Sample rate", essence["sample_rate"] === undefined ? undefined : `${String(essence["sample_rate"])} Hz`],
          ["Channels", text(essence["channels"])],
          ["Bit depth", text(essence["bit_depth"] ?? essence["component_bit_depth"])],
          ["Average bit rate", flow.avg_bit_rate === undefined ? undefined : formatRate(flow.avg_bit_rate * 1000)],
          ["Highest bit rate", flow.max_bit_rate === undefined ? undefined : formatRate(flow.max_bit_rate * 1000)],
          ["Segments of", duration && `${round(duration.numerator / (duration.denominator || 1))} s`],
          ["Generation", text(flow.generation)],
          ["Created", <By key="created" date={flow.created} name={flow.created_by} />],
          ["Metadata changed", flow.metadata_updated && <By key="metadata" date={flow.metadata_updated} name={flow.updated_by} />],
          ["Segments changed", flow.segments_updated && <Age key="segments" date={flow.segments_updated} />],
        ]}
      />
    </Section>
  );
}

function size(essence: Record<string, unknown>): string | undefined {
  const [width, height] = [essence["frame_width"], essence["frame_height"]];
  return width && height ? `${String(width)} × ${String(height)}` : undefined;
}

function text(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : String(value);
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
