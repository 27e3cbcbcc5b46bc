"use strict"

// Plays a playlist in hls.js, and records which pictures are shown and when. Pictures carry their number as two rows of
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
  /** token: sent with requests to the origin of the URL only. speed: 1 is real time. */
  constructor(url, token, squares, speed) {
    this.frames = [] // [number of the picture, its time in seconds]
    this.fragments = [] // What hls.js found in each segment.
    this.errors = []
    this.firstNumbers = [] // Of the first segment in each version of the playlist.
    this.squares = squares
    const canvas = new OffscreenCanvas(BITS * CELL, 2 * CELL)
    this.context = canvas.getContext("2d", { willReadFrequently: true })
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
    video.requestVideoFrameCallback(() => this.#shown())
    this.hls.loadSource(url)
    this.hls.attachMedia(video)
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
    const { ended } = video
    return { frames, fragments, errors, firstNumbers, ended, audioBytes: video.webkitAudioDecodedByteCount }
  }

  #shown() {
    this.frames.push(look(this.context, this.squares))
    video.requestVideoFrameCallback(() => this.#shown())
  }

  #buffered({ type, sn, cc, start, duration, elementaryStreams }) {
    const streams = Object.entries(elementaryStreams).filter(([, found]) => found)
    const times = Object.fromEntries(streams.map(([kind, { startPTS, endPTS }]) => [kind, [startPTS, endPTS]]))
    this.fragments.push({ type, sn, cc, start, duration, times })
  }
}

window.startPlayer = (...parts) => {
  window.player = new Player(...parts)
}
