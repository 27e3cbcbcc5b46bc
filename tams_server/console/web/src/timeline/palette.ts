// The colours and the font of the timeline, which are those of the theme.
export interface Palette {
  background: string;
  lane: string;
  line: string;
  strong: string;
  text: string;
  muted: string;
  segment: string;
  reused: string;
  partial: string;
  gap: string;
  key: string;
  point: string;
  playhead: string;
  font: string;
}

export function palette(element: HTMLElement): Palette {
  const style = getComputedStyle(element);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return {
    background: read("--surface"),
    lane: read("--bg"),
    line: read("--line"),
    strong: read("--line-strong"),
    text: read("--text"),
    muted: read("--muted"),
    segment: read("--timeline-segment"),
    reused: read("--timeline-reused"),
    partial: read("--timeline-partial"),
    gap: read("--timeline-gap"),
    key: read("--timeline-key"),
    point: read("--timeline-point"),
    playhead: read("--timeline-playhead"),
    font: `11px ${read("--mono")}`,
  };
}
