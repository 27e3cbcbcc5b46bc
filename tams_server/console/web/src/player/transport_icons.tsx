// The symbols of the transport, drawn on a grid of 16 by 16.
const PATHS = {
  in: "M10.5 3H6v10h4.500M2.500 8H6",
  out: "M5.500 3H10v10H5.500M13.500 8H10",
  back: "M10.500 3.500 5 8l5.500 4.500zM3.500 3.500v9",
  forward: "M5.500 3.500 11 8l-5.500 4.500zM12.500 3.500v9",
  reverse: "M8 4 3 8l5 4zM13.500 4l-5 4 5 4z",
  faster: "M8 4l5 4-5 4zM2.500 4l5 4-5 4z",
  sound: "M2.500 6H5l3.500-3v10L5 10H2.500zM11 5.500a3.500 3.500 0 0 1 0 5M12.800 3.500a6 6 0 0 1 0 9",
  muted: "M2.500 6H5l3.500-3v10L5 10H2.500zM11 6l3 4M14 6l-3 4",
  full: "M2.500 6V2.500H6M10 2.500h3.500V6M13.500 10v3.500H10M6 13.500H2.500V10",
} as const;

export function TransportIcon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
