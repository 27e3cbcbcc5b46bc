// Plays a flow in a media element, window by window, and says which moment is shown.
import type Hls from "hls.js";
import type { Fragment } from "hls.js";
import { request, resourcePath } from "../api";
import { serverUrl } from "../config";
import { queryText } from "../router";
import { authorization } from "../session";
import { frameLength, type FrameRate } from "../timeline/clock";
import { readSegments, type Segment } from "../timeline/segments";
import type { Range } from "../timeline/view";
import { alignedMoment, frameEnd, steppedMoment } from "./frame_grid";
import { firstPicture, playByHls } from "./hls_playback";
import { matchPieces, mediaTimeOf, momentOf, type Piece } from "./media_map";
import { readWindow, timerangeOf, windowAround } from "./playlist_window";

const CLOSE_S = 0.1; // how far from the wanted time a picture may be where frames have no known length

export interface EngineEvents {
  onMoment: (moment: bigint) => void; // what is shown
  onState: (state: "loading" | "ready" | "error", error?: unknown) => void;
}

/** What is played: the playlist of a flow, and the flow that its pictures, or else its sound, are the segments of. */
export interface Played {
  flowId: string;
  leadId: string;
}

export class Engine {
  private hls: Hls | null = null;
  private window: Range | null = null;
  private pieces: Piece[] = [];
  private segments: Segment[] = [];
  private latest: number | null = null; // time in the media element of the last frame that it has drawn
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
    private readonly played: Played,
    public content: Range,
    public rate: FrameRate | null,
    private readonly events: EngineEvents,
  ) {
    video.addEventListener("timeupdate", this.onTime);
    video.addEventListener("seeked", this.onSeeked);
    video.addEventListener("playing", this.onPlaying);
    video.addEventListener("ended", this.onEnded);
    this.watchFrames();
  }

  stop(): void {
    this.stopped = true;
    this.abort.abort();
    this.hls?.destroy();
    this.video.removeEventListener("timeupdate", this.onTime);
    this.video.removeEventListener("seeked", this.onSeeked);
    this.video.removeEventListener("playing", this.onPlaying);
    this.video.removeEventListener("ended", this.onEnded);
    if (this.frames) this.video.cancelVideoFrameCallback?.(this.frames);
  }

  /** Show the frame at a moment. Returns where that frame begins. */
  seek(moment: bigint): bigint {
    const start = alignedMoment(moment, this.pieces, this.content, this.rate);
    if (!this.window || start < this.window.start || start >= this.window.end) void this.open(start);
    else if (this.pieces.length === 0) this.wanted = start;
    else {
      this.exact = start;
      this.show(start);
    }
    return start;
  }

  /** Show the frame so many frames after the one that begins at `from`, and return where it begins. */
  step(frames: number, from: bigint): bigint {
    this.video.pause();
    return this.seek(steppedMoment(from, frames, this.pieces, this.content, this.rate));
  }

  /** Where the frame that begins at a moment ends. */
  frameEnd(moment: bigint): bigint {
    return frameEnd(moment, this.pieces, this.content, this.rate);
  }

  /** Open the playlist again, after an error. */
  retry(moment: bigint): void {
    this.window = null;
    this.seek(moment);
  }

  private show(moment: bigint): void {
    const media = mediaTimeOf(this.pieces, moment);
    // In the middle of the frame, so that rounding shows no other.
    if (media !== null) this.video.currentTime = media + this.half();
  }

  private half(): number {
    return this.rate ? frameLength(this.rate) / 2e9 : 0;
  }

  private async open(moment: bigint): Promise<void> {
    this.abort.abort();
    const abort = (this.abort = new AbortController());
    this.hls?.destroy();
    this.hls = null;
    const window = (this.window = windowAround(moment, this.content));
    this.pieces = [];
    this.durations.clear();
    this.late = 0;
    this.latest = null;
    this.exact = null;
    this.wanted = moment;
    this.events.onState("loading");
    const path = `${resourcePath("flows", this.played.flowId)}/output.m3u8`;
    const query = { timerange: timerangeOf(window, this.content) };
    try {
      // Also finds out why a flow cannot be played.
      await request("GET", path, { query, headers: { Accept: "application/vnd.apple.mpegurl" }, signal: abort.signal });
      const segments = await readWindow(this.played.leadId, window, abort.signal);
      const { default: Player } = await import("hls.js");
      if (abort.signal.aborted || this.stopped) return;
      this.segments = segments;
      const url = serverUrl(path + queryText(query)).href;
      if (Player.isSupported()) this.attach(Player, url);
      else this.attachNative(url);
    } catch (error) {
      if (!abort.signal.aborted) this.events.onState("error", error);
    }
  }

  private attach(Player: typeof Hls, url: string): void {
    this.hls = playByHls(Player, this.video, url, this.played.leadId, {
      onFragments: (fragments, listed) => {
        this.match(fragments);
        if (listed && this.wanted !== null) this.begin(this.wanted);
      },
      onBuffered: (first) => {
        this.settle(first);
        this.events.onState("ready");
        if (this.playing) {
          this.playing = false;
          void this.video.play().catch(() => undefined);
        }
      },
      onError: (error) => this.events.onState("error", error),
    });
  }

  /** Load what is at a moment first. */
  private begin(moment: bigint): void {
    this.hls?.startLoad(mediaTimeOf(this.pieces, moment) ?? 0);
    this.show(moment);
    this.exact = moment;
    this.wanted = null;
  }

  private attachNative(url: string): void {
    // Media elements send no headers, and a credential in a URL ends up in histories and logs.
    if (authorization() !== null) {
      throw new Error("This browser has no Media Source Extensions, without which the player cannot send your credential.");
    }
    this.video.src = url;
    let media = 0;
    this.pieces = this.segments.map((segment) => {
      const piece = { media, start: segment.start, end: segment.end };
      media += Number(segment.end - segment.start) / 1e9;
      return piece;
    });
    this.video.addEventListener("loadedmetadata", () => {
      this.events.onState("ready");
      const moment = this.wanted;
      this.wanted = null;
      if (moment !== null) this.seek(moment);
    }, { once: true });
  }

  /** A seek is by the playlist, until the media itself says exactly when its pictures are shown. */
  private settle(first: number | null): void {
    const moment = this.exact;
    if (moment === null) return;
    const media = mediaTimeOf(this.pieces, moment);
    if (media !== null && Math.abs(media + this.half() - this.video.currentTime) > 0.001) this.show(moment);
    const piece = this.pieces.find((each) => each.start <= moment && moment < each.end);
    if (!piece || first === null || Math.abs(piece.media - first) < 0.001) this.exact = null;
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
    const { signal } = this.abort;
    if (!this.window || !last) return;
    try {
      const range = { start: last.end, end: this.window.end };
      const { segments } = await readSegments(this.played.leadId, range, signal);
      const known = this.segments[this.segments.length - 1];
      if (known === last) this.segments.push(...segments.filter((each) => each.start >= last.end));
    } catch (error) {
      if (!signal.aborted) console.warn("Segments of the player could not be read; the next update retries.", error);
    }
  }

  private readonly onTime = () => {
    if (!this.hasFrames() && !this.video.seeking) this.tellTime(this.video.currentTime);
  };

  private readonly onSeeked = () => {
    const { currentTime } = this.video;
    if (!this.hasFrames()) this.tellTime(currentTime);
    else if (this.latest !== null && this.covers(this.latest, currentTime)) this.tellFrame(this.latest);
  };

  private readonly onPlaying = () => {
    this.exact = null;
  };

  private readonly onEnded = () => {
    if (!this.window || this.window.end >= this.content.end) return;
    this.playing = true;
    this.seek(this.window.end);
  };

  /** Whether the frame that begins at `frame` is the one to show at `time`: seconds in the media element. */
  private covers(frame: number, time: number): boolean {
    return this.rate ? Math.abs(frame + this.half() - time) <= this.half() * 1.1 : Math.abs(frame - time) <= CLOSE_S;
  }

  private hasFrames(): boolean {
    return "requestVideoFrameCallback" in this.video && this.video.videoWidth > 0;
  }

  private watchFrames(): void {
    if (!("requestVideoFrameCallback" in this.video)) return;
    this.frames = this.video.requestVideoFrameCallback((_, { mediaTime }) => {
      this.latest = mediaTime;
      // While it seeks, this may still be the frame before.
      if (!this.video.seeking) this.tellFrame(mediaTime);
      if (!this.stopped) this.watchFrames();
    });
  }

  /** The frame that begins at a time is shown. Its middle is in it, however the time has been rounded. */
  private tellFrame(media: number): void {
    this.tellTime(media + this.half());
  }

  private tellTime(media: number): void {
    const moment = momentOf(this.pieces, media);
    if (moment === null || this.wanted !== null) return;
    this.events.onMoment(alignedMoment(moment, this.pieces, this.content, this.rate));
  }
}
