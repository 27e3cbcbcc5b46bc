// Plays a playlist in a media element by hls.js.
import type Hls from "hls.js";
import type { Fragment } from "hls.js";
import { serverUrl } from "../config";
import { authorization } from "../session";

const MOST_RECOVERIES = 2;

export interface HlsEvents {
  onFragments: (fragments: readonly Fragment[], listed: boolean) => void; // listed: the playlist has been read
  onBuffered: (first: number | null) => void; // when the first picture of a fragment, or else its sound, is shown
  onError: (error: Error) => void;
}

/** Play the playlist at a URL. flowId: of the flow whose pictures to show, where the playlist has several. */
export function playByHls(
  Player: typeof Hls, video: HTMLVideoElement, url: string, flowId: string, events: HlsEvents,
): Hls {
  const { Events } = Player;
  let recoveries = 0;
  const hls = new Player({
    autoStartLoad: false,
    enableWorker: true,
    maxBufferLength: 20,
    backBufferLength: 30,
    liveDurationInfinity: false,
    xhrSetup: sendCredential,
  });
  hls.on(Events.MANIFEST_PARSED, (_, { levels }) => {
    const own = levels.findIndex((level) => level.uri.includes(`/flows/${flowId}/`));
    if (levels.length > 1 && own >= 0) hls.loadLevel = own;
    hls.startLoad(-1);
  });
  hls.on(Events.LEVEL_LOADED, (_, { details }) => events.onFragments(details.fragments, true));
  hls.on(Events.LEVEL_PTS_UPDATED, (_, { details, type }) => {
    if (type === "main") events.onFragments(details.fragments, false);
  });
  hls.on(Events.FRAG_BUFFERED, (_, { frag }) => {
    if (frag.type !== "main") return; // a sound beside the pictures
    const details = hls.levels[frag.level]?.details;
    if (details) events.onFragments(details.fragments, false);
    events.onBuffered(firstPicture(frag as Fragment));
  });
  hls.on(Events.ERROR, (_, data) => {
    if (!data.fatal) return;
    if (data.type === Player.ErrorTypes.MEDIA_ERROR && recoveries < MOST_RECOVERIES) {
      recoveries += 1;
      hls.recoverMediaError();
    } else events.onError(new Error(`The media cannot be played: ${data.details}.`));
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  return hls;
}

/** To playlists of this server that are not signed. URLs of media are presigned, and may be another server's. */
function sendCredential(xhr: XMLHttpRequest, address: string): void {
  const credential = authorization();
  const own = address.startsWith(serverUrl("").href);
  if (credential !== null && own && /\.m3u8(\?|$)/.test(address) && !/[?&]sig=/.test(address)) {
    xhr.setRequestHeader("Authorization", credential);
  }
}

/** When the first picture, or else the first sound, of a fragment is shown; null until it has been read. */
export function firstPicture({ elementaryStreams: { video, audiovideo, audio } }: Fragment): number | null {
  return (video ?? audiovideo ?? audio)?.startPTS ?? null;
}
