// Technical metadata to begin with, by format, and that of a flow.

const RATE = { numerator: 25, denominator: 1 };

export const TEMPLATES: Readonly<Record<string, Record<string, unknown>>> = {
  "urn:x-nmos:format:video": {
    format: "urn:x-nmos:format:video",
    codec: "video/h264",
    container: "video/mp2t",
    avg_bit_rate: 8000,
    segment_duration: { numerator: 2, denominator: 1 },
    essence_parameters: { frame_rate: RATE, frame_width: 1920, frame_height: 1080, bit_depth: 8, interlace_mode: "progressive" },
  },
  "urn:x-nmos:format:audio": {
    format: "urn:x-nmos:format:audio",
    codec: "audio/aac",
    container: "video/mp2t",
    avg_bit_rate: 128,
    essence_parameters: { sample_rate: 48000, channels: 2 },
  },
  "urn:x-nmos:format:data": {
    format: "urn:x-nmos:format:data",
    codec: "text/plain",
    container: "text/plain",
    essence_parameters: {},
  },
  "urn:x-nmos:format:multi": { format: "urn:x-nmos:format:multi", container: "video/mp2t" },
  "urn:x-tam:format:image": {
    format: "urn:x-tam:format:image",
    codec: "image/jpeg",
    container: "image/jpeg",
    essence_parameters: { frame_width: 1920, frame_height: 1080 },
  },
};

const MEMBERS = [
  "format", "codec", "container", "avg_bit_rate", "segment_duration", "essence_parameters", "container_mapping",
];

/** The members of a flow that a profile may have. */
export function technicalOf(flow: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(MEMBERS.filter((name) => name in flow).map((name) => [name, flow[name]]));
}
