"""Encodes the clip: the moving pattern as H.264 with B-frames and the rising tone as AAC, in one MP4 file."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from . import pattern, sound

FRAME_RATE = 25
SEGMENT_SECONDS = 2
GOP = FRAME_RATE * SEGMENT_SECONDS
B_FRAMES = 3

# A fixed structure: a key frame exactly every 50 frames, closed groups of pictures, and always three B-frames between
# two other frames.
_X264 = {
    "preset": "veryfast",
    "crf": "23",
    "g": str(GOP),
    "keyint_min": str(GOP),
    "sc_threshold": "0",
    "bf": str(B_FRAMES),
    "b_strategy": "0",
    "flags": "+cgop",
    "x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709",
}
_SAMPLES_PER_FRAME = sound.RATE // FRAME_RATE


@dataclass(frozen=True)
class Clip:
    """A clip on disk: `frames` pictures numbered from 0, and sound of the same duration."""

    path: Path
    frames: int

    @property
    def seconds(self) -> Fraction:
        """The duration."""
        return Fraction(self.frames, FRAME_RATE)

    @property
    def samples(self) -> int:
        """The number of samples in each channel."""
        return self.frames * _SAMPLES_PER_FRAME


def make(path: Path, seconds: int, progress: Callable[[int], None] = lambda frames: None) -> Clip:
    """Encode a clip of `seconds` to `path`. progress: called with the number of frames drawn after each second."""
    if not 0 < seconds <= sound.MAX_STEPS * sound.STEP_SECONDS:
        raise ValueError(f"seconds must be from 1 to {sound.MAX_STEPS * sound.STEP_SECONDS}, not {seconds}")
    clip = Clip(path, seconds * FRAME_RATE)
    with av.open(str(path), "w", format="mp4") as output:
        video, audio = _video_stream(output), _audio_stream(output)
        for number in range(clip.frames):
            output.mux(video.encode(_picture(number)))
            output.mux(audio.encode(_sound(number)))
            if (number + 1) % FRAME_RATE == 0:
                progress(number + 1)
        output.mux(video.encode())
        output.mux(audio.encode())
    return clip


def _video_stream(output: OutputContainer) -> VideoStream:
    stream = output.add_stream("libx264", rate=FRAME_RATE, options=_X264)
    stream.width, stream.height, stream.pix_fmt = pattern.WIDTH, pattern.HEIGHT, "yuv420p"
    return stream


def _audio_stream(output: OutputContainer) -> AudioStream:
    stream = output.add_stream("aac", rate=sound.RATE, layout="stereo")
    stream.bit_rate = 128_000
    return stream


def _picture(number: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(pattern.draw(number), format="yuv420p")
    frame.pts, frame.time_base = number, Fraction(1, FRAME_RATE)
    return frame


def _sound(number: int) -> av.AudioFrame:
    """The sound during the picture with this number."""
    start = number * _SAMPLES_PER_FRAME
    frame = av.AudioFrame.from_ndarray(sound.tone(start, _SAMPLES_PER_FRAME), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = sound.RATE, start, Fraction(1, sound.RATE)
    return frame


if __name__ == "__main__":
    make(Path(sys.argv[1]), 20)
