// The player of a flow: picture, timecode and transport. It follows the timeline, and the timeline follows it.
import type { RefObject } from "preact";
import { useEffect, useImperativeHandle, useRef, useState } from "preact/hooks";
import type { FrameRate } from "../timeline/clock";
import type { Range } from "../timeline/view";
import { Icon } from "../ui/icons";
import { ErrorBox } from "../ui/states";
import { Engine, type Played } from "./engine";
import { STEP_NS } from "./frame_grid";
import { TransportIcon } from "./transport_icons";

export interface PlayerControl {
  seek: (moment: bigint) => bigint; // returns where the frame that it shows begins
  frameEnd: (moment: bigint) => bigint; // of the frame that begins then
  step: (frames: number) => void;
  toggle: () => void;
  shuttle: (direction: -1 | 0 | 1) => void;
}

interface PlayerProps {
  played: Played;
  format: string;
  content: Range;
  rate: FrameRate | null;
  position: bigint;
  clock: string; // the position as text
  onPosition: (moment: bigint) => void;
  control: RefObject<PlayerControl | null>;
  onIn: () => void;
  onOut: () => void;
}

const SPEEDS = [1, 2, 4, 8];
const REVERSE_MS = 125;

export function Player({ played, format, content, rate, position, clock, onPosition, control, onIn, onOut }: PlayerProps) {
  const video = useRef<HTMLVideoElement>(null);
  const engine = useRef<Engine | null>(null);
  const [state, setState] = useState<"loading" | "ready" | "error">("loading");
  const [error, setError] = useState<unknown>(null);
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState(1); // negative: backwards
  const [muted, setMuted] = useState(false);
  const latest = useRef({ position, onPosition, speed });
  latest.current = { position, onPosition, speed };
  const picture = format !== "audio";

  useEffect(() => {
    const element = video.current;
    if (!element) return;
    const made = new Engine(element, played, content, rate, {
      onMoment: (moment) => latest.current.onPosition(moment),
      onState: (next, problem) => {
        setState(next);
        setError(problem ?? null);
      },
    });
    engine.current = made;
    made.seek(latest.current.position);
    const update = () => setPlaying(!element.paused);
    for (const type of ["play", "pause", "ended"]) element.addEventListener(type, update);
    return () => {
      made.stop();
      for (const type of ["play", "pause", "ended"]) element.removeEventListener(type, update);
    };
  }, [played.flowId, played.leadId]);

  useEffect(() => {
    if (engine.current) Object.assign(engine.current, { content, rate });
  }, [content.start, content.end, rate]);

  useEffect(() => {
    if (speed >= 0) return;
    const timer = setInterval(() => {
      const frames = rate ? Math.round((-speed * rate.numerator * REVERSE_MS) / rate.denominator / 1000) : -speed * 3;
      step(-Math.max(1, frames));
      if (latest.current.position <= content.start) setSpeed(1);
    }, REVERSE_MS);
    return () => clearInterval(timer);
  }, [speed]);

  const step = (frames: number) => {
    const moment = engine.current?.step(frames, latest.current.position);
    if (moment !== undefined) latest.current.onPosition(moment);
  };
  const setRate = (next: number) => {
    setSpeed(next);
    if (video.current && next > 0) video.current.playbackRate = next;
  };
  const toggle = () => {
    const element = video.current;
    if (!element) return;
    const wasReverse = latest.current.speed < 0;
    setRate(1);
    if (element.paused && !wasReverse) void element.play().catch(() => undefined);
    else element.pause();
  };
  const shuttle = (direction: -1 | 0 | 1) => {
    const element = video.current;
    if (!element) return;
    const now = latest.current.speed;
    if (direction === 0) {
      setRate(1);
      element.pause();
    } else if (direction > 0) {
      const next = element.paused || now < 0 ? 1 : (SPEEDS[SPEEDS.indexOf(now) + 1] ?? 8);
      setRate(next);
      void element.play().catch(() => undefined);
    } else {
      element.pause();
      setRate(now < 0 ? Math.max(-8, now * 2) : -1);
    }
  };
  useImperativeHandle(control, () => ({
    seek: (moment) => engine.current?.seek(moment) ?? moment,
    frameEnd: (moment) => engine.current?.frameEnd(moment) ?? moment,
    step: (frames) => {
      setRate(1);
      step(frames);
    },
    toggle,
    shuttle,
  }));

  const unit = rate ? "One frame" : `${STEP_NS / 1e6} ms`;
  return (
    <div class={picture ? "player" : "player sound"} data-state={state}>
      <div class="player-screen">
        <video ref={video} playsInline muted={muted} aria-label="Picture of the flow" tabIndex={-1} onClick={toggle} />
        {state === "loading" && <span class="spinner player-spinner" aria-label="Loading" />}
        {state === "error" && (
          <div class="player-error">
            <ErrorBox error={error} retry={() => engine.current?.retry(position)} />
          </div>
        )}
      </div>
      <div class="transport" role="toolbar" aria-label="Transport">
        <output class="timecode mono" aria-label="Position">{clock}</output>
        <div class="transport-buttons">
          <Button label="Set the in point (I)" onClick={onIn}><TransportIcon name="in" /></Button>
          <Button label={`${unit} back (,)`} onClick={() => step(-1)}><TransportIcon name="back" /></Button>
          <Button label="Play backwards (J)" onClick={() => shuttle(-1)}><TransportIcon name="reverse" /></Button>
          <Button label={playing ? "Pause (K)" : "Play (L)"} primary onClick={toggle}>
            <Icon name={playing ? "pause" : "play"} />
          </Button>
          <Button label="Faster (L)" onClick={() => shuttle(1)}><TransportIcon name="faster" /></Button>
          <Button label={`${unit} forward (.)`} onClick={() => step(1)}><TransportIcon name="forward" /></Button>
          <Button label="Set the out point (O)" onClick={onOut}><TransportIcon name="out" /></Button>
        </div>
        <div class="transport-end">
          <span class="transport-speed mono">{speed === 1 ? "" : `${speed}×`}</span>
          <Button label={muted ? "Sound on" : "Sound off"} onClick={() => setMuted(!muted)}>
            <TransportIcon name={muted ? "muted" : "sound"} />
          </Button>
          {picture && (
            <Button label="Full screen" onClick={() => void video.current?.requestFullscreen?.()}>
              <TransportIcon name="full" />
            </Button>
          )}
        </div>
      </div>
    </div>
  );
}

function Button({ label, primary, onClick, children }: {
  label: string;
  primary?: boolean;
  onClick: () => void;
  children: preact.ComponentChildren;
}) {
  return (
    <button
      type="button"
      class={primary ? "icon-button transport-play" : "icon-button"}
      aria-label={label}
      title={label}
      onClick={onClick}
    >
      {children}
    </button>
  );
}
