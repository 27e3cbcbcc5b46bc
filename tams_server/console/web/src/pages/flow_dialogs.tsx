// What can be done with a part of a flow: cut it by reference, or export it.
import { useRef, useState } from "preact/hooks";
import { resourcePath } from "../api";
import { serverUrl } from "../config";
import { href, navigate, queryText } from "../router";
import type { Range } from "../timeline/view";
import type { Flow } from "../types";
import { Dialog } from "../ui/dialog";
import { CheckField, Form, TextField } from "../ui/form";
import { ErrorBox } from "../ui/states";
import { CopyButton, Facts, formatName } from "../ui/text";
import { formatCount, formatDuration, formatSpan } from "../ui/time";
import { CutIds, makeCut, removeCut } from "./flow_cut";

interface PartProps {
  flow: Flow;
  range: Range;
  onClose: () => void;
}

export function CutDialog({ flow, range, onClose }: PartProps) {
  const [label, setLabel] = useState(`${flow.label || "Flow"} (cut)`);
  const [newSource, setNewSource] = useState(true);
  const [fromZero, setFromZero] = useState(false);
  const [progress, setProgress] = useState<number | null>(null);
  const [done, setDone] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const abort = useRef<AbortController | null>(null);
  const ids = useRef(new CutIds());
  const made = useRef(new Set<string>());
  const [removing, setRemoving] = useState(false);
  const [left, setLeft] = useState<string[]>([]);
  const cut = async () => {
    if (progress !== null || removing || done) return;
    const { signal } = (abort.current = new AbortController());
    setError(null);
    setProgress(0);
    try {
      const request = { flow, range, ids: ids.current, newSource, label, fromZero };
      await makeCut(request, setProgress, (id) => made.current.add(id), signal);
      setDone(ids.current.of("flow", flow.id));
    } catch (problem) {
      if (!signal.aborted) setError(problem);
      if (!signal.aborted) setProgress(null);
    }
  };
  /** Half a cut is of no use. */
  const close = async () => {
    abort.current?.abort();
    if (done || left.length > 0 || made.current.size === 0) return onClose();
    const flows = [...made.current].reverse();
    setRemoving(true);
    try {
      await removeCut(flows);
      onClose();
    } catch (problem) {
      setError(problem);
      setLeft(flows);
      setProgress(null);
      setRemoving(false);
    }
  };
  const begun = made.current.size > 0; // another attempt continues it
  return (
    <Dialog
      title="Cut by reference"
      onClose={() => void close()}
      actions={
        done ? (
          <button type="button" class="button primary" onClick={() => navigate(`/flows/${done}`)}>Open the cut</button>
        ) : (
          <>
            <button type="button" class="button" disabled={removing} onClick={() => void close()}>Cancel</button>
            <button type="button" class="button primary" disabled={progress !== null || removing} onClick={() => void cut()}>
              {progress === null ? "Cut" : "Cutting…"}
            </button>
          </>
        )
      }
    >
      <p class="muted">A new flow that uses the same objects. No media is copied.</p>
      <Facts rows={[["Timerange", <code key="range">{formatSpan(range)}</code>], ["Duration", formatDuration(range.end - range.start)]]} />
      <Form onSubmit={() => void cut()}>
        <TextField label="Label of the new flow" value={label} onInput={setLabel} autofocus />
        <CheckField label="A source of its own" checked={newSource} onChange={setNewSource} disabled={begun} hint="Otherwise it becomes a flow of the same source." />
        <CheckField label="Begin at 0:0" checked={fromZero} onChange={setFromZero} disabled={begun} hint="Otherwise it keeps the times of the flow." />
      </Form>
      <div role="status">
        {progress !== null && !removing && `${formatCount(progress)} ${progress === 1 ? "segment" : "segments"} registered.`}
        {removing && " What was made of it so far is being deleted."}
        {done && <> The cut is <a href={href(`/flows/${done}`)}>flow {done}</a>.</>}
      </div>
      {error !== null && <ErrorBox error={error} />}
      {left.length > 0 && (
        <p>
          The cut is not complete, and could not be deleted:{" "}
          {left.map((id) => <a key={id} class="mono" href={href(`/flows/${id}`)}>{id}</a>)}
        </p>
      )}
    </Dialog>
  );
}

export function ExportDialog({ flow, range, onClose }: PartProps) {
  const timerange = formatSpan(range);
  const url = serverUrl(`${resourcePath("flows", flow.id)}/output.m3u8${queryText({ timerange, type: "vod" })}`).href;
  const name = (flow.label ?? "").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || flow.id;
  const sound = formatName(flow.format) === "audio";
  const exactly = `tams export ${flow.id} ${name}.${sound ? "wav" : "mp4"} --timerange '${timerange}'`;
  const ffmpeg = `ffmpeg -headers "Authorization: Bearer $TOKEN"$'\\r\\n' -i '${url}' -c copy ${name}.${sound ? "m4a" : "mp4"}`;
  return (
    <Dialog title="Export" onClose={onClose} wide actions={<button type="button" class="button" onClick={onClose}>Close</button>}>
      <Facts rows={[["Timerange", <code key="range">{timerange}</code>], ["Duration", formatDuration(range.end - range.start)]]} />
      <Command title="Exactly these frames, to a file" text={exactly} hint="The command tams comes with this server." />
      <Command title="Whole segments, to a file" text={ffmpeg} hint="FFmpeg copies the media as it is." />
      <Command title="Playlist for players" text={url} hint="An HLS playlist of these segments, which needs a credential." />
    </Dialog>
  );
}

function Command({ title, text, hint }: { title: string; text: string; hint: string }) {
  return (
    <div class="command">
      <h3>{title}</h3>
      <div class="command-line">
        <code>{text}</code>
        <CopyButton text={text} label={`Copy: ${title}`} />
      </div>
      <p class="field-hint">{hint}</p>
    </div>
  );
}
