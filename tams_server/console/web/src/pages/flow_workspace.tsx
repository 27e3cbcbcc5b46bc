// Player and timeline of a flow, which follow each other, with in and out points and what can be done with them.
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { DeleteSegmentsDialog } from "../edit/delete_segments";
import { Player, type PlayerControl } from "../player/player";
import { useMay } from "../session";
import { isTyping } from "../ui/typing";
import { hasDates, momentText, type ClockMode } from "../timeline/clock";
import type { Segment } from "../timeline/segments";
import { Timeline, type TimelineControl } from "../timeline/timeline";
import type { Flow } from "../types";
import { Icon } from "../ui/icons";
import { formatName } from "../ui/text";
import { formatDuration } from "../ui/time";
import { CutDialog, ExportDialog } from "./flow_dialogs";
import { pressed } from "./flow_keys";
import type { Lead } from "./flow_lead";
import { SegmentCard } from "./flow_segment_card";

interface WorkspaceProps {
  flow: Flow;
  lead: Lead;
  goTo?: RefObject<((moment: bigint) => void) | null>;
  onMarked?: (segment: Segment | null) => void;
  onDeleted?: () => void; // segments have been deleted
}

const PLAYED = ["video", "audio", "multi"];

export function FlowWorkspace({ flow, lead, goTo, onMarked, onDeleted }: WorkspaceProps) {
  const { content, rate } = lead;
  const dates = hasDates(content.start);
  const format = formatName(lead.flow.format);
  const [position, setPosition] = useState(content.start);
  const [mode, setMode] = useState<ClockMode>(rate ? "timecode" : "utc");
  const [inPoint, setIn] = useState<bigint | null>(null);
  const [outPoint, setOut] = useState<bigint | null>(null);
  const [selected, setSelected] = useState<Segment | null>(null);
  const [dialog, setDialog] = useState<"cut" | "export" | "delete" | null>(null);
  const player = useRef<PlayerControl>(null);
  const timeline = useRef<TimelineControl | null>(null);
  const mayWrite = useMay("write");
  const mayDelete = useMay("delete") && onDeleted !== undefined;
  const latest = useRef({ position, content, inPoint, outPoint });
  latest.current = { position, content, inPoint, outPoint };

  const seek = (moment: bigint) => {
    const { start, end } = latest.current.content;
    const inside = moment < start ? start : moment >= end ? end - 1n : moment;
    setPosition(player.current?.seek(inside) ?? inside);
  };
  const select = (segment: Segment | null) => {
    setSelected(segment);
    onMarked?.(segment);
  };
  if (goTo) goTo.current = seek;
  const setInHere = () => {
    const at = latest.current.position;
    setIn(at);
    if (latest.current.outPoint !== null && latest.current.outPoint <= at) setOut(null);
  };
  const setOutHere = () => {
    // The out point is where the frame that is shown ends: it belongs to the cut.
    const { position: at } = latest.current;
    const end = player.current?.frameEnd(at) ?? at;
    setOut(end);
    if (latest.current.inPoint !== null && latest.current.inPoint >= end) setIn(null);
  };

  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.altKey || event.ctrlKey || event.metaKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
      const own = `button, a, summary, [role=table]${event.key.startsWith("Page") ? ", [role=slider]" : ""}`;
      const onButton = event.target instanceof Element && event.target.closest(own);
      const done = pressed(event, {
        step: (frames) => player.current?.step(frames),
        second: (count) => seek(latest.current.position + BigInt(count) * 1_000_000_000n),
        toggle: () => player.current?.toggle(),
        shuttle: (direction) => player.current?.shuttle(direction),
        zoom: (factor) => timeline.current?.zoom(factor),
        fit: () => timeline.current?.fit(),
        pan: (share) => timeline.current?.pan(share),
        start: () => seek(latest.current.content.start),
        end: () => seek(latest.current.content.end),
        setIn: setInHere,
        setOut: setOutHere,
        seekIn: () => latest.current.inPoint !== null && seek(latest.current.inPoint),
        seekOut: () => latest.current.outPoint !== null && seek(latest.current.outPoint - 1n),
        clear: () => {
          setIn(null);
          setOut(null);
        },
      }, Boolean(onButton));
      if (done) {
        event.preventDefault();
        event.stopPropagation();
      }
    };
    document.addEventListener("keydown", press, true);
    return () => document.removeEventListener("keydown", press, true);
  }, [rate]);

  const range = { start: inPoint ?? content.start, end: outPoint ?? content.end };
  const text = (moment: bigint | null) => (moment === null ? "–" : momentText(moment, mode, rate, dates));
  return (
    <section class="workspace" aria-label="Player and timeline" data-position={String(position)}>
      {PLAYED.includes(format) && (
        <Player
          played={{ flowId: flow.id, leadId: lead.flow.id }}
          format={format}
          content={content}
          rate={rate}
          position={position}
          clock={momentText(position, mode, rate, dates)}
          onPosition={setPosition}
          control={player}
          onIn={setInHere}
          onOut={setOutHere}
        />
      )}
      <div class="workspace-side">
        <dl class="points">
          <div><dt>In</dt><dd class="mono" data-point="in">{text(inPoint)}</dd></div>
          <div><dt>Out</dt><dd class="mono" data-point="out">{text(outPoint)}</dd></div>
          <div><dt>Duration</dt><dd class="mono">{formatDuration(range.end - range.start)}</dd></div>
        </dl>
        <div class="points-actions">
          <button type="button" class="button small" onClick={setInHere} title="Set the in point (I)">Set in</button>
          <button type="button" class="button small" onClick={setOutHere} title="Set the out point (O)">Set out</button>
          <button
            type="button" class="button small" disabled={inPoint === null && outPoint === null}
            onClick={() => { setIn(null); setOut(null); }}
          >
            Clear
          </button>
        </div>
        <div class="points-actions">
          {mayWrite && <button type="button" class="button primary" onClick={() => setDialog("cut")}>Cut by reference…</button>}
          <button type="button" class="button" onClick={() => setDialog("export")}><Icon name="download" />Export…</button>
          {mayDelete && (
            <button
              type="button" class="button" disabled={lead.flow.read_only === true}
              title={lead.flow.read_only ? "The flow is read-only" : "From the in to the out point"} onClick={() => setDialog("delete")}
            >
              <Icon name="deletions" />Delete segments…
            </button>
          )}
        </div>
        <SegmentCard segment={selected} text={text} onClose={() => select(null)} />
      </div>
      <div class="timeline-frame">
        <div class="timeline-bar">
          <Legend />
          <div class="timeline-tools" role="toolbar" aria-label="Timeline">
            <label class="visually-hidden" for="clock-mode">Clock</label>
            <select id="clock-mode" class="input small" onChange={(event) => setMode(event.currentTarget.value as ClockMode)}>
              {rate && <option value="timecode" selected={mode === "timecode"}>Timecode</option>}
              <option value="utc" selected={mode === "utc"}>{dates ? "UTC" : "Time"}</option>
              {dates && <option value="tai" selected={mode === "tai"}>TAI</option>}
            </select>
            <button type="button" class="icon-button" aria-label="Zoom out" title="Zoom out (-)" onClick={() => timeline.current?.zoom(2)}>
              <span aria-hidden="true" class="zoom-sign">−</span>
            </button>
            <button type="button" class="icon-button" aria-label="Zoom in" title="Zoom in (+)" onClick={() => timeline.current?.zoom(0.5)}>
              <Icon name="add" />
            </button>
            <button type="button" class="button small" title="Show the whole flow (F)" onClick={() => timeline.current?.fit()}>All</button>
            <button
              type="button" class="button small" title="Show from the in to the out point" disabled={inPoint === null && outPoint === null}
              onClick={() => timeline.current?.fit(range)}
            >
              In–out
            </button>
          </div>
        </div>
        <Timeline
          flowId={lead.flow.id}
          updated={lead.flow.segments_updated}
          rate={rate}
          mode={mode}
          dates={dates}
          content={content}
          position={position}
          inPoint={inPoint}
          outPoint={outPoint}
          selected={selected}
          hasPictures={format === "video"}
          onSeek={seek}
          onSelect={select}
          controls={(control) => {
            timeline.current = control;
          }}
        />
      </div>
      {dialog === "cut" && <CutDialog flow={flow} range={range} onClose={() => setDialog(null)} />}
      {dialog === "delete" && onDeleted && (
        <DeleteSegmentsDialog
          flow={lead.flow}
          range={range}
          onDone={() => {
            select(null);
            onDeleted();
          }}
          onClose={() => setDialog(null)}
        />
      )}
      {dialog === "export" && <ExportDialog flow={flow} range={range} onClose={() => setDialog(null)} />}
    </section>
  );
}

const LEGEND = [
  ["segment", "Segment"],
  ["reused", "Object used again"],
  ["partial", "Part of an object"],
  ["gap", "Gap"],
  ["key", "Key frames"],
  ["point", "In to out"],
] as const;

function Legend() {
  return (
    <ul class="legend" aria-label="Legend">
      {LEGEND.map(([name, text]) => (
        <li key={name}><span class={`legend-mark ${name}`} aria-hidden="true" />{text}</li>
      ))}
    </ul>
  );
}
