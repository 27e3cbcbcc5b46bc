// The columns of lists of flows.
import { href } from "../router";
import type { Flow } from "../types";
import { Icon } from "../ui/icons";
import type { Column } from "../ui/table";
import { TagList } from "../ui/tags";
import { Age, Format, Id } from "../ui/text";
import { formatRate } from "../ui/time";

export const FLOW_COLUMNS: readonly Column<Flow>[] = [
  { key: "format", title: "Format", width: "76px", render: (flow) => <Format urn={flow.format} /> },
  {
    key: "label",
    title: "Label",
    width: "minmax(160px, 2.4fr)",
    sort: "label",
    render: (flow) => (
      <>
        <a href={href(`/flows/${flow.id}`)}>{flow.label || <span class="muted">no label</span>}</a>
        {flow.read_only && <span class="mark" title="read only"><Icon name="lock" /><span class="visually-hidden">read only</span></span>}
      </>
    ),
  },
  { key: "id", title: "Id", width: "104px", render: (flow) => <Id id={flow.id} short />, narrow: "hide" },
  { key: "codec", title: "Codec", width: "minmax(90px, 1fr)", render: (flow) => flow.codec, narrow: "hide" },
  {
    key: "rate",
    title: "Bit rate",
    width: "100px",
    align: "right",
    render: (flow) => flow.avg_bit_rate !== undefined && formatRate(flow.avg_bit_rate * 1000),
    narrow: "hide",
  },
  { key: "tags", title: "Tags", width: "minmax(120px, 2fr)", render: (flow) => <TagList tags={flow.tags} most={3} />, narrow: "hide" },
  { key: "created", title: "Created", width: "104px", sort: "created", render: (flow) => <Age date={flow.created} /> },
];
