// The symbols of the console, drawn on a grid of 16 by 16.

const PATHS = {
  overview: "M2 2h5v6H2zM9 2h5v3H9zM9 7h5v7H9zM2 10h5v4H2z",
  sources: "M8 2 14 5 8 8 2 5zM2 8l6 3 6-3M2 11l6 3 6-3",
  flows: "M2 4h7M11 4h3M2 8h3M7 8h7M2 12h9M13 12h1",
  objects: "M8 1.8 13.5 5v6L8 14.2 2.5 11V5zM2.5 5 8 8l5.5-3M8 8v6",
  storage: "M3 3.5h10v4H3zM3 8.5h10v4H3zM5.5 5.5h.01M5.5 10.5h.01",
  usage: "M2.5 13.5h11M4.5 13.5v-4M8 13.5v-9M11.5 13.5V7",
  profiles: "M3 2h7l3 3v9H3zM5.5 8h5M5.5 11h5M5.5 5h2",
  webhooks: "M8 5.5a2.2 2.2 0 1 0-2-1.3M8 3.5 5 9.5M4 13a2.2 2.2 0 1 1 .5-4.3M4 11h7M12 9a2.2 2.2 0 1 1-1.2 3.8M11.5 10.5 8 4",
  jobs: "M8 2a6 6 0 1 0 6 6M8 4.5V8l2.5 1.5M11 2.5l2.5.5-.5 2.5",
  deletions: "M3 4h10M6 4V2.5h4V4M4.5 4l.6 9.5h5.8l.6-9.5M6.8 6.5v4.5M9.2 6.5v4.5",
  compliance: "M8 1.8 13 4v4c0 3-2 5-5 6.2C5 13 3 11 3 8V4zM5.8 8l1.6 1.6L10.4 6.5",
  audit: "M3 2.5h10v11H3zM5.5 5.5h5M5.5 8h5M5.5 10.5h3",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3 14 14",
  close: "M4 4l8 8M12 4l-8 8",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  check: "M3 8.5 6.5 12 13 4.5",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13 9.5A5.5 5.5 0 1 1 6.5 3 4.5 4.5 0 0 0 13 9.5z",
  system: "M2 3h12v8H2zM6 14h4M8 11v3",
  user: "M8 2.5a2.7 2.7 0 1 0 0 5.4 2.7 2.7 0 0 0 0-5.4zM2.8 14c.4-2.8 2.5-4.2 5.2-4.2s4.8 1.4 5.2 4.2",
  keyboard: "M1.5 4h13v8h-13zM4 6.500h.01M6.5 6.500h.01M9 6.500h.01M11.5 6.500h.01M5 9.500h6",
  left: "M10 3 5 8l5 5",
  right: "M6 3l5 5-5 5",
  up: "M3 10l5-5 5 5",
  down: "M3 6l5 5 5-5",
  edit: "M3 13l.7-3L11 2.7 13.3 5 6 12.300zM9.5 4.200l2.3 2.3",
  add: "M8 3v10M3 8h10",
  warning: "M8 2 14.5 13.500h-13zM8 6.500v3.500M8 12h.01",
  lock: "M4 7.500h8v6H4zM5.5 7.500V5a2.5 2.5 0 0 1 5 0v2.5",
  play: "M4.5 3 12.5 8l-8 5z",
  pause: "M5 3v10M11 3v10",
  download: "M8 2v8M4.5 7 8 10.5 11.5 7M3 13.500h10",
  refresh: "M13 8a5 5 0 1 1-1.5-3.500M13.5 2v3h-3",
  link: "M6.5 9.5 9.5 6.500M7 4.500l1.5-1.500a2.8 2.8 0 0 1 4 4L11 8.500M9 11.5 7.5 13a2.8 2.8 0 0 1-4-4L5 7.5",
  filter: "M2 3h12L9.5 8.500V13l-3-1.500v-3z",
} as const;

export type IconName = keyof typeof PATHS;

/** A symbol beside text, or in a control that has a label of its own. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
