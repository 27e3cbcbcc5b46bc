// The keys of a flow's page. All of them are listed under "?".

export interface FlowActions {
  step: (frames: number) => void;
  second: (count: number) => void;
  toggle: () => void;
  shuttle: (direction: -1 | 0 | 1) => void;
  zoom: (factor: number) => void;
  fit: () => void;
  pan: (share: number) => void;
  start: () => void;
  end: () => void;
  setIn: () => void;
  setOut: () => void;
  seekIn: () => void;
  seekOut: () => void;
  clear: () => void;
}

/** Do what a key stands for. onControl: the focus is on a control that has keys of its own. Returns whether it did. */
export function pressed(event: KeyboardEvent, act: FlowActions, onControl: boolean): boolean {
  const actions: Record<string, () => void> = {
    ",": () => act.step(-1),
    ".": () => act.step(1),
    j: () => act.shuttle(-1),
    k: () => act.shuttle(0),
    l: () => act.shuttle(1),
    i: act.setIn,
    o: act.setOut,
    I: act.seekIn,
    O: act.seekOut,
    x: act.clear,
    f: act.fit,
    "+": () => act.zoom(0.5),
    "=": () => act.zoom(0.5),
    "-": () => act.zoom(2),
  };
  const shared: Record<string, () => void> = {
    " ": act.toggle,
    ArrowLeft: () => (event.shiftKey ? act.second(-1) : act.step(-1)),
    ArrowRight: () => (event.shiftKey ? act.second(1) : act.step(1)),
    Home: act.start,
    End: act.end,
    PageUp: () => act.pan(-0.8),
    PageDown: () => act.pan(0.8),
  };
  const inTable = event.target instanceof Element && event.target.closest("[role=table]") !== null;
  if (inTable && "jk".includes(event.key)) return false;
  const action = actions[event.key] ?? (onControl ? undefined : shared[event.key]);
  action?.();
  return action !== undefined;
}

export const FLOW_KEYS: readonly (readonly [readonly string[], string])[] = [
  [["Space"], "Play or pause"],
  [[",", "."], "One frame back or forward"],
  [["←", "→"], "The same; with Shift by a second"],
  [["j", "k", "l"], "Backwards, pause, forwards; again: faster"],
  [["i", "o"], "Set the in or out point"],
  [["I", "O"], "Go to the in or out point"],
  [["x"], "Clear in and out"],
  [["+", "-", "f"], "Zoom the timeline, show all of it"],
  [["PgUp", "PgDn"], "Move the timeline"],
  [["Home", "End"], "Start or end of the flow"],
];
