"""Subtitles as WebVTT files."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import av

TYPE = "text/vtt"


@dataclass(frozen=True)
class Cue:
    """A text from `start` to `end`, in milliseconds."""

    start: int
    end: int
    text: str


def make(cues: Sequence[Cue]) -> bytes:
    """The cues as a file."""
    blocks = ["WEBVTT", *(f"{_clock(cue.start)} --> {_clock(cue.end)}\n{cue.text}" for cue in cues)]
    return ("\n\n".join(blocks) + "\n").encode()


def read(media: bytes) -> list[Cue]:
    """The cues of a file, as FFmpeg reads them."""
    with av.open(io.BytesIO(media), "r", format="webvtt") as file:
        packets = [packet for packet in file.demux() if packet.size and packet.pts is not None]
        return [Cue(p.pts or 0, (p.pts or 0) + (p.duration or 0), bytes(p).decode()) for p in packets]


def _clock(milliseconds: int) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{thousandths:03}"
