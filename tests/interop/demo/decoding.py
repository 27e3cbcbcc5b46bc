"""Turns downloaded segments back into the pictures and the sound of a timerange.

Knows only what a client of a TAMS server knows: the bytes of each media object, and of its segment the timerange and
ts_offset. A picture or a sample is part of the answer when its time on the flow's timeline lies within its segment's
timerange and within the wanted one.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from . import pattern, sound
from .times import SECOND, Span, first_sample, in_ns


@dataclass(frozen=True)
class Placed:
    """A media object's bytes and where its segment lies: timerange and ts_offset, in nanoseconds."""

    media: bytes
    span: Span
    ts_offset: int


@dataclass(frozen=True)
class Picture:
    """A decoded picture: its time on the flow's timeline in nanoseconds, and the frame number seen in it."""

    time: int
    number: int


@dataclass(frozen=True)
class Sound:
    """Decoded sound without a gap: both channels' samples, the first of which is sample `start` of the flow."""

    start: int
    samples: sound.Samples


class Undecodable(Exception):
    """The media is damaged, is not the clip's, or has a gap or an overlap in its sound."""


def decode_video(placed: Iterable[Placed], wanted: Span) -> list[Picture]:
    """The pictures of the wanted timerange, in the order of their segments. Raises Undecodable."""
    with _damage_told():
        return [picture for piece in placed for picture in _pictures(piece, piece.span.overlap(wanted))]


def decode_audio(placed: Iterable[Placed], wanted: Span) -> Sound:
    """The sound of the wanted timerange. Raises Undecodable.

    One decoder runs through all segments, since each coded frame of AAC overlaps the one before it. For the same reason
    sound that starts with the very first coded frame of the first segment fades in.
    """
    parts: list[sound.Samples] = []
    begin = end = None
    with _damage_told():
        for start, samples in _blocks(placed, wanted):
            if begin is None:
                begin = start
            elif start != end:
                raise Undecodable(f"sample {end} is followed by sample {start}")
            parts.append(samples)
            end = start + samples.shape[1]
    if begin is None:
        raise Undecodable(f"no sound in {wanted}")
    return Sound(begin, np.concatenate(parts, axis=1))


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, pattern.UnreadableFrame) as damage:
        raise Undecodable(str(damage)) from damage


def _pictures(piece: Placed, wanted: Span) -> Iterator[Picture]:
    with av.open(io.BytesIO(piece.media), "r", format="mpegts") as media:
        for frame in media.decode(video=0):
            time = _time(frame, piece)
            if time in wanted:
                yield Picture(time, pattern.read_number(_luma(frame)))


def _luma(frame: av.VideoFrame) -> pattern.Plane:
    plane = frame.planes[0]
    rows: pattern.Plane = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


def _blocks(placed: Iterable[Placed], wanted: Span) -> Iterator[tuple[int, sound.Samples]]:
    """Each coded frame's samples, as far as they are wanted, with the index of the first on the flow's timeline."""
    decoder = av.AudioCodecContext.create("aac", "r")
    for piece in placed:
        part = piece.span.overlap(wanted)
        first, last = first_sample(part.start, sound.RATE), first_sample(part.end, sound.RATE)
        with av.open(io.BytesIO(piece.media), "r", format="mpegts") as media:
            for packet in media.demux(audio=0):
                # The empty packet at the end of each file would end the decoder, which is to go on.
                for frame in decoder.decode(packet) if packet.size else ():
                    start = round(Fraction(_time(frame, piece) * sound.RATE, SECOND))
                    yield from _trimmed(start, frame.to_ndarray().astype(np.float32, copy=False), first, last)


def _time(frame: av.VideoFrame | av.AudioFrame, piece: Placed) -> int:
    if frame.pts is None or frame.time_base is None:
        raise Undecodable(f"a frame in segment {piece.span} does not say when it is presented")
    return in_ns(frame.pts, frame.time_base) + piece.ts_offset


def _trimmed(start: int, samples: sound.Samples, first: int, last: int) -> Iterator[tuple[int, sound.Samples]]:
    left, right = max(first - start, 0), min(last - start, samples.shape[1])
    if left < right:
        yield start + left, samples[:, left:right]
