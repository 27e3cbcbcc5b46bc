"""Files of media for tests: small pictures that all differ, and a tone with a step, as PyAV encodes them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

WIDTH, HEIGHT = 160, 96
NTSC = Fraction(30000, 1001)
_BLOCK = 1024


@dataclass(frozen=True)
class Recipe:
    """How to make a file. video, audio: encoders of FFmpeg, or None. gaps: number of frame after which time jumps."""

    name: str
    video: str | None = "libx264"
    audio: str | None = "aac"
    rate: Fraction = NTSC
    frames: int = 120
    gop: int = 30
    pixels: str = "yuv420p"
    sample_rate: int = 48000
    options: Mapping[str, str] | None = None
    times: tuple[int, ...] = ()
    """Of the frames, in ms, for a variable rate."""
    late: int = 0
    """By how many frames the pictures begin after the sound."""


H264 = Recipe(
    "h264.mp4", options={"bf": "3", "preset": "ultrafast", "x264-params": "scenecut=0:b-adapt=0:b-pyramid=0:keyint=30"}
)
REORDERED = Recipe("reordered.mkv", audio=None, rate=Fraction(25), frames=75, options=H264.options)
"""Matroska has no decoding times: those of the first frames are not known."""
MPEG2 = Recipe("mpeg2.ts", "mpeg2video", "mp2", Fraction(25), gop=12, options={"bf": "2"})
PRORES = Recipe("prores.mov", "prores_ks", "pcm_s16le", frames=75, pixels="yuv422p10le")
FFV1 = Recipe("ffv1.mkv", "ffv1", "flac", Fraction(25), frames=75, gop=1)
VFR = Recipe(
    "vfr.mkv",
    audio=None,
    frames=60,
    options={"bf": "0", "preset": "ultrafast"},
    times=tuple(40 * number + (17 if number % 3 else 0) for number in range(60)),
)
WAV = Recipe("tone.wav", None, "pcm_s16le", frames=150)
MP3 = Recipe("tone.mp3", None, "libmp3lame", frames=150, sample_rate=44100)

_X264 = "keyint=30:min-keyint=30:scenecut=0:b-adapt=0:b-pyramid=0"
_X265 = "keyint=30:min-keyint=30:scenecut=0:bframes=3:b-adapt=0:log-level=none:pools=1:frame-threads=1"
HEVC = Recipe("hevc.mp4", "libx265", options={"preset": "ultrafast", "x265-params": f"open-gop=0:{_X265}"}, frames=90)
OPEN_HEVC = replace(HEVC, name="open-hevc.mp4", options={"preset": "ultrafast", "x265-params": f"open-gop=1:{_X265}"})
DEEP_HEVC = replace(HEVC, name="deep-hevc.mp4", audio=None, pixels="yuv420p10le")
INTERLACED = Recipe(
    "interlaced.mp4",
    rate=Fraction(25),
    frames=90,
    options={"bf": "3", "preset": "ultrafast", "flags": "+ildct+ilme", "x264-params": f"tff=1:{_X264}"},
)
OPEN = Recipe("open.mp4", options={"bf": "3", "preset": "ultrafast", "x264-params": f"open-gop=1:{_X264}"}, frames=120)
DEEP = Recipe("deep.mp4", audio=None, options=H264.options, pixels="yuv420p10le", frames=90)
VFR_REORDERED = replace(VFR, name="vfr-reordered.mp4", options=H264.options, frames=90)
VFR_REORDERED = replace(VFR_REORDERED, times=tuple(40 * each + (17 if each % 3 else 0) for each in range(90)))
LATE = Recipe("late.mp4", rate=Fraction(25), frames=75, options=H264.options, late=13)
SOUND_ONLY = Recipe("tone.m4a", None, "aac", frames=90)
OPUS = Recipe(
    "opus.webm", "libvpx-vp9", "libopus", Fraction(25), 75, 25, options={"deadline": "realtime", "cpu-used": "8"}
)
VORBIS = Recipe("vorbis.webm", None, "vorbis", frames=90, sample_rate=44100)


def make(folder: Path, recipe: Recipe) -> Path:
    """Encode a file into a folder, unless it is there."""
    path = folder / recipe.name
    if path.exists():
        return path
    with av.open(str(path), "w") as output:
        pictures = _add_video(output, recipe) if recipe.video else None
        sound = _add_audio(output, recipe) if recipe.audio else None
        samples = 0
        for number in range(recipe.frames):
            if pictures is not None:
                output.mux(pictures.encode(_picture(number, recipe)))
            while sound is not None and samples < (number + 1) / recipe.rate * recipe.sample_rate:
                output.mux(sound.encode(_tone(samples, recipe)))
                samples += _BLOCK
        for stream in (pictures, sound):
            if stream is not None:
                output.mux(stream.encode(None))
    return path


def _add_video(output: Any, recipe: Recipe) -> Any:
    stream = output.add_stream(recipe.video, rate=recipe.rate)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, recipe.pixels
    stream.codec_context.gop_size = recipe.gop
    stream.options = dict(recipe.options or {})
    if recipe.times:
        stream.codec_context.time_base = Fraction(1, 1000)
    return stream


def _add_audio(output: Any, recipe: Recipe) -> Any:
    stream = output.add_stream(recipe.audio, rate=recipe.sample_rate)
    stream.layout = "stereo"
    if recipe.audio == "vorbis":
        stream.codec_context.options = {"strict": "experimental"}  # the only encoder of Vorbis in PyAV
    return stream


def _picture(number: int, recipe: Recipe) -> av.VideoFrame:
    image = np.full((HEIGHT, WIDTH, 3), number * 2 % 200 + 20, np.uint8)
    image[20:60, number % 100 : number % 100 + 40] = (number * 37 % 256, number * 91 % 256, number * 53 % 256)
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    frame.pts, frame.time_base = number + recipe.late, 1 / recipe.rate
    if recipe.times:
        frame.pts, frame.time_base = recipe.times[number], Fraction(1, 1000)
    return frame


def _tone(first: int, recipe: Recipe) -> av.AudioFrame:
    at = (np.arange(_BLOCK) + first) / recipe.sample_rate
    wave = 0.4 * np.sin(2 * np.pi * (300 + 40 * np.floor(at * 4)) * at)
    both = np.stack([wave, -wave]).astype(np.float32)
    whole = recipe.audio in ("pcm_s16le", "mp2", "flac", "libopus")
    packed = np.ascontiguousarray((both * 32000).astype(np.int16).T.reshape(1, -1)) if whole else both
    frame = av.AudioFrame.from_ndarray(packed, format="s16" if whole else "fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = recipe.sample_rate, first, Fraction(1, recipe.sample_rate)
    return frame
