"use strict"

// Plays a playlist or manifest, and records which pictures are shown and when. Pictures carry their number as two rows of
// squares, bright for one: its bits, and their complement.

const video = document.querySelector("video")
const CELL = 4 // Pixels of the small copy for each square.
const BITS = 16

/**
 * The number of the picture that is shown, and its time in seconds. The number is null if it shows none.
 * squares: where they are, in pixels.
 */
function look(context, squares) {
  const picture = new VideoFrame(video)
  const [width, height] = [BITS * CELL, 2 * CELL]
  context.drawImage(picture, squares.left, squares.top, BITS * squares.width, 2 * squares.height, 0, 0, width, height)
  const time = picture.timestamp / 1e6
  picture.close()
  const pixels = context.getImageData(0, 0, width, height).data
  const isBright = (bit, row) => pixels[4 * ((row * CELL + CELL / 2) * width + bit * CELL + CELL / 2)] > 128
  let number = 0
  for (let bit = 0; bit < BITS; bit++) {
    if (isBright(bit, 0) === isBright(bit, 1)) return [null, time]
    number = 2 * number + Number(isBright(bit, 0))
  }
  return [number, time]
}

class Player {
  constructor(squares) {
    this.frames = [] // [number of the picture, its time in seconds]
    this.fragments = [] // What hls.js found in each segment.
    this.errors = []
    this.firstNumbers = [] // Of the first segment in each version of the playlist.
    this.squares = squares
    const canvas = new OffscreenCanvas(BITS * CELL, 2 * CELL)
    this.context = canvas.getContext("2d", { willReadFrequently: true })
    video.requestVideoFrameCallback(() => this.#shown())
  }

  /** Show the picture at a time in seconds. Returns its number and its time. */
  async seek(time) {
    video.pause()
    const shown = new Promise((done) => video.requestVideoFrameCallback(done))
    video.currentTime = time
    await shown
    return look(this.context, this.squares)
  }

  /** What has been recorded, without what only this page can use. */
  get record() {
    const { frames, fragments, errors, firstNumbers } = this
    const { ended, duration } = video
    const audioBytes = video.webkitAudioDecodedByteCount
    return { frames, fragments, errors, firstNumbers, ended, duration, audioBytes }
  }

  failed(type, error) {
    this.errors.push({ type, details: error.code ?? null, fatal: true, text: error.message ?? String(error) })
  }

  #shown() {
    this.frames.push(look(this.context, this.squares))
    video.requestVideoFrameCallback(() => this.#shown())
  }
}

class HlsPlayer extends Player {
  /** token: sent with requests to the origin of the URL only. speed: 1 is real time. */
  start(url, token, speed) {
    const origin = new URL(url).origin
    const xhrSetup = (xhr, to) => {
      if (new URL(to).origin === origin) xhr.setRequestHeader("Authorization", `Bearer ${token}`)
    }
    this.hls = new Hls({ xhrSetup })
    this.hls.on(Hls.Events.ERROR, (_, { type, details, fatal, error }) =>
      this.errors.push({ type, details, fatal, text: String(error) }))
    this.hls.on(Hls.Events.FRAG_BUFFERED, (_, { frag }) => this.#buffered(frag))
    this.hls.on(Hls.Events.MANIFEST_PARSED, () => {
      video.playbackRate = speed
      video.play()
    })
    this.hls.on(Hls.Events.LEVEL_UPDATED, (_, { details }) => this.firstNumbers.push(details.startSN))
    this.hls.loadSource(url)
    this.hls.attachMedia(video)
  }

  #buffered({ type, sn, cc, start, duration, elementaryStreams }) {
    const streams = Object.entries(elementaryStreams).filter(([, found]) => found)
    const times = Object.fromEntries(streams.map(([kind, { startPTS, endPTS }]) => [kind, [startPTS, endPTS]]))
    this.fragments.push({ type, sn, cc, start, duration, times })
  }
}

/** The URL with its token, for players that then need no header: URLs in manifests need no credential. */
function withToken(url, token) {
  const found = new URL(url)
  found.searchParams.set("access_token", token)
  return found.href
}

class DashPlayer extends Player {
  start(url, token, speed) {
    this.dash = dashjs.MediaPlayer().create()
    this.dash.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => this.failed("dash.js", error))
    this.dash.on(dashjs.MediaPlayer.events.CAN_PLAY, () => {
      video.playbackRate = speed
    })
    this.dash.initialize(video, withToken(url, token), true)
  }
}

class ShakaPlayer extends Player {
  async start(url, token, speed) {
    this.shaka = new shaka.Player()
    this.shaka.addEventListener("error", ({ detail }) => this.failed("Shaka Player", detail))
    try {
      await this.shaka.attach(video)
      await this.shaka.load(withToken(url, token))
      video.playbackRate = speed
      await video.play()
    } catch (error) {
      this.failed("Shaka Player", error)
    }
  }
}

const PLAYERS = { hls: HlsPlayer, dash: DashPlayer, shaka: ShakaPlayer }

window.startPlayer = async (kind, url, token, squares, speed) => {
  const script = document.createElement("script")
  const loaded = new Promise((done, failed) => Object.assign(script, { onload: done, onerror: failed }))
  document.head.append(Object.assign(script, { src: `${kind}.js` }))
  await loaded
  window.player = new PLAYERS[kind](squares)
  window.player.start(url, token, speed)
}
