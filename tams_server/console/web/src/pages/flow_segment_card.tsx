// The segment that was clicked on the timeline.
import { href } from "../router";
import type { Segment } from "../timeline/segments";
import { Icon } from "../ui/icons";
import { Facts } from "../ui/text";
import { formatDuration } from "../ui/time";

interface SegmentCardProps {
  segment: Segment | null;
  text: (moment: bigint) => string;
  onClose: () => void;
}

export function SegmentCard({ segment, text, onClose }: SegmentCardProps) {
  if (!segment) return <p class="segment-hint muted">Zoom in and click a segment to see its object.</p>;
  const { document } = segment;
  return (
    <div class="segment-card" role="status" aria-label="Selected segment">
      <div class="segment-card-head">
        <h3>Segment</h3>
        <button type="button" class="icon-button" aria-label="Deselect the segment" onClick={onClose}><Icon name="close" /></button>
      </div>
      <Facts
        rows={[
          ["Start", <span key="start" class="mono">{text(segment.start)}</span>],
          ["Duration", formatDuration(segment.end - segment.start)],
          ["Timerange", <span key="timerange" class="mono">{document.timerange}</span>],
          ["Object", <a key="object" class="mono" href={href(`/objects/${encodeURIComponent(document.object_id)}`)}>{document.object_id}</a>],
          ["Of the object", segment.partial ? <span key="part" class="mono">{document.object_timerange}</span> : undefined],
          ["Offset", document.ts_offset && <span key="offset" class="mono">{document.ts_offset}</span>],
          ["Key frames", document.key_frame_count],
          ["Init object", document.init_object && <span key="init" class="mono">{document.init_object.object_id}</span>],
        ]}
      />
    </div>
  );
}
