// Plays a window of a flow in a media element: by hls.js, which is loaded when it is needed, else as the browser can.
import type Hls from "hls.js";
import type { Fragment } from "hls.js";
import { request, resourcePath } from "../api";
import { serverUrl } from "../config";
import { queryText } from "../router";
import { authorization } from "../session";
import { frameLength, frameNumber, frameStart, type FrameRate } from "../timeline/clock";
import { readSegments, type Segment } from "../timeline/segments";
import type { Range } from "../timeline/view";
import { formatSpan, formatTimestamp } from "../ui/time";
import { matchPieces, mediaTimeOf, momentOf, type Piece } from "./media_map";

const MINUTE = 60_000_000_000n;
const WINDOW = 10n * MINUTE;
const WHOLE = 30n * MINUTE; // flows up to this length are played in one window
const MOST_PAGES = 12;

/** When the first picture, or else the first sound, of a fragment is shown; null until it has been read. */
function firstPicture({ elementaryStreams: { video, audiovideo, audio } }: Fragment): number | null {
  return (video ?? audiovideo ?? audio)?.startPTS ?? null;
}

export interface EngineEvents {
  onMoment: (moment: bigint) => void; // what is shown
  onState: (state: "loading" | "ready" | "error", error?: unknown) => void;
}

export class Engine {
  private hls: Hls | null = null;
  private window: Range | null = null;
  private pieces: Piece[] = [];
  private segments: Segment[] = [];
  private shown: number | null = null; // time in the media element of the frame that is shown
  private abort = new AbortController();
  private frames = 0;
  private stopped = false;
  private wanted: bigint | null = null; // where to go once the window is known
  private exact: bigint | null = null; // where to go once it is known when exactly pictures are shown
  private readonly durations = new Map<number | string, number>(); // in the playlist, by number
  private late = 0; // seconds from the start of a fragment to its first picture
  private playing = false; // whether to go on in the next window

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly flowId: string,
    public content: Range,
    public rate: FrameRate | null,
    private readonly events: EngineEvents,
  ) {
    video.addEventListener("timeupdate", this.onTime);
    video.addEventListener("seeked", this.onTime);
    video.addEventListener("ended", this.onEnded);
    this.watchFrames();
  }

  stop(): void {
    this.stopped = true;
    this.abort.abort();
    this.hls?.destroy();
    this.video.removeEventListener("timeupdate", this.onTime);
    this.video.removeEventListener("seeked", this.onTime);
    this.video.removeEventListener("ended", this.onEnded);
    if (this.frames) this.video.cancelVideoFrameCallback?.(this.frames);
  }

  /** Show a moment. */
  seek(moment: bigint): void {
    if (!this.window || moment < this.window.start || moment >= this.window.end) {
      void this.open(moment);
      return;
    }
    const media = mediaTimeOf(this.pieces, moment);
    if (this.pieces.length === 0) this.wanted = moment;
    else if (media !== null) this.video.currentTime = media + this.half();
  }

  /** Show the frame so many frames after the one that is shown, and return its moment. */
  step(frames: number, from: bigint): bigint {
    this.video.pause();
    const length = this.rate ? frameLength(this.rate) : 40e6;
    const moment = from + BigInt(Math.round(frames * length));
    const clamped = moment < this.content.start ? this.content.start : moment >= this.content.end ? from : moment;
    const piece = this.pieces.find((each) => each.start <= from && from < each.end);
    if (this.shown !== null && piece && clamped >= piece.start && clamped < piece.end) {
      this.video.currentTime = this.shown + (frames * length) / 1e9 + this.half();
      this.shown += (frames * length) / 1e9;
    } else this.seek(clamped);
    return clamped;
  }

  private half(): number {
    return this.rate ? frameLength(this.rate) / 2e9 : 0;
  }

  private async open(moment: bigint): Promise<void> {
    this.abort.abort();
    const abort = (this.abort = new AbortController());
    this.window = this.windowAround(moment);
    this.pieces = [];
    this.durations.clear();
    this.late = 0;
    this.shown = null;
    this.wanted = moment;
    this.events.onState("loading");
    const live = this.window.end >= this.content.end;
    const start = this.window.start;
    const timerange = live ? `[${formatTimestamp(start)}_` : formatSpan(this.window);
    const path = `${resourcePath("flows", this.flowId)}/output.m3u8`;
    const query = { timerange };
    try {
      // Also finds out why a flow cannot be played.
      await request("GET", path, { query, headers: { Accept: "application/vnd.apple.mpegurl" }, signal: abort.signal });
      this.segments = await this.readWindow(this.window, abort.signal);
      const { default: Player } = await import("hls.js");
      if (abort.signal.aborted || this.stopped) return;
      const url = serverUrl(path + queryText(query)).href;
      if (Player.isSupported()) this.attach(Player, url);
      else this.attachNative(url);
    } catch (error) {
      if (!abort.signal.aborted) this.events.onState("error", error);
    }
  }

  private async readWindow(window: Range, signal: AbortSignal): Promise<Segment[]> {
    const found: Segment[] = [];
    let next: URL | null = null;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const read: { segments: Segment[]; next: URL | null } = await readSegments(this.flowId, window, signal, next);
      found.push(...read.segments);
      next = read.next;
      if (next === null) break;
    }
    return found;
  }

  private windowAround(moment: bigint): Range {
    const { start, end } = this.content;
    if (end - start <= WHOLE) return { start, end: end + WHOLE };
    // Aligned, so that the same playlist serves many moments.
    const first = (moment / WINDOW) * WINDOW - MINUTE / 6n;
    return { start: first > start ? first : start, end: first + WINDOW + MINUTE / 3n };
  }

  private attach(Player: typeof Hls, url: string): void {
    this.hls?.destroy();
    const base = serverUrl("").href;
    const hls = (this.hls = new Player({
      autoStartLoad: false,
      enableWorker: true,
      maxBufferLength: 20,
      backBufferLength: 30,
      liveDurationInfinity: false,
      xhrSetup: (xhr, address) => {
        const credential = authorization();
        if (credential !== null && address.startsWith(base) && /\.m3u8(\?|$)/.test(address) && !/[?&]sig=/.test(address)) {
          xhr.setRequestHeader("Authorization", credential);
        }
      },
    }));
    const { Events } = Player;
    hls.on(Events.LEVEL_LOADED, (_, { details }) => {
      this.match(details.fragments);
      if (this.wanted === null) return;
      const media = mediaTimeOf(this.pieces, this.wanted) ?? 0;
      hls.startLoad(media);
      this.video.currentTime = media + this.half();
      this.exact = this.wanted;
      this.wanted = null;
    });
    hls.on(Events.LEVEL_PTS_UPDATED, (_, { details }) => this.match(details.fragments));
    hls.on(Events.MANIFEST_PARSED, () => hls.startLoad(-1));
    hls.on(Events.FRAG_BUFFERED, (_, { frag }) => {
      const details = hls.levels[frag.level]?.details;
      if (frag.type === "main" && details) this.match(details.fragments);
      this.settle();
      this.events.onState("ready");
      if (this.playing) {
        this.playing = false;
        void this.video.play().catch(() => undefined);
      }
    });
    hls.on(Events.ERROR, (_, data) => {
      if (!data.fatal) return;
      if (data.type === Player.ErrorTypes.MEDIA_ERROR && !this.stopped) hls.recoverMediaError();
      else this.events.onState("error", new Error(`The media cannot be played: ${data.details}.`));
    });
    hls.loadSource(url);
    hls.attachMedia(this.video);
  }

  private attachNative(url: string): void {
    const token = authorization()?.replace(/^Bearer /, "");
    const address = new URL(url);
    if (token) address.searchParams.set("access_token", token); // media elements send no headers
    this.video.src = address.href;
    let media = 0;
    this.pieces = this.segments.map((segment) => {
      const piece = { media, start: segment.start, end: segment.end };
      media += Number(segment.end - segment.start) / 1e9;
      return piece;
    });
    this.video.addEventListener("loadedmetadata", () => {
      this.events.onState("ready");
      if (this.wanted !== null) this.seek(this.wanted);
      this.wanted = null;
    }, { once: true });
  }

  /** The first seek was by the playlist; the media itself says exactly when its pictures are shown. */
  private settle(): void {
    const moment = this.exact;
    if (moment === null) return;
    this.exact = null;
    const media = mediaTimeOf(this.pieces, moment);
    if (media !== null && Math.abs(media + this.half() - this.video.currentTime) > 0.001) {
      this.video.currentTime = media + this.half();
    }
  }

  private match(fragments: readonly Fragment[]): void {
    for (const fragment of fragments) {
      if (!this.durations.has(fragment.sn)) this.durations.set(fragment.sn, fragment.duration);
      const first = firstPicture(fragment);
      if (first !== null) this.late = first - fragment.start;
    }
    const listed = fragments.map((fragment) => ({
      start: firstPicture(fragment) ?? fragment.start + this.late,
      duration: this.durations.get(fragment.sn) ?? fragment.duration,
    }));
    this.pieces = matchPieces(listed, this.segments);
    if (fragments.length > this.segments.length) void this.readMore();
  }

  /** The playlist has grown. */
  private async readMore(): Promise<void> {
    const last = this.segments[this.segments.length - 1];
    if (!this.window || !last) return;
    const range = { start: last.end, end: this.window.end };
    const { segments } = await readSegments(this.flowId, range, this.abort.signal);
    const known = this.segments[this.segments.length - 1];
    if (known === last) this.segments.push(...segments.filter((each) => each.start >= last.end));
  }

  private readonly onTime = () => {
    if (!this.hasFrames()) this.tell(this.video.currentTime);
  };

  private readonly onEnded = () => {
    if (!this.window || this.window.end >= this.content.end) return;
    this.playing = true;
    this.seek(this.window.end);
  };

  private hasFrames(): boolean {
    return "requestVideoFrameCallback" in this.video && this.video.videoWidth > 0;
  }

  private watchFrames(): void {
    if (!("requestVideoFrameCallback" in this.video)) return;
    this.frames = this.video.requestVideoFrameCallback((_, { mediaTime }) => {
      this.tell(mediaTime);
      if (!this.stopped) this.watchFrames();
    });
  }

  private tell(media: number): void {
    if (this.video.seeking) return; // that is still the frame before
    this.shown = media;
    const moment = momentOf(this.pieces, media);
    if (moment === null || this.wanted !== null) return;
    this.events.onMoment(this.rate ? this.snapped(moment, this.rate) : moment);
  }

  /** The start of the frame nearest to a moment, counted from the start of its segment. */
  private snapped(moment: bigint, rate: FrameRate): bigint {
    const piece = this.pieces.find((each) => each.start <= moment && moment < each.end);
    const anchor = piece?.start ?? this.content.start;
    return frameStart(frameNumber(moment + BigInt(Math.round(frameLength(rate) / 2)), anchor, rate), anchor, rate);
  }
}
