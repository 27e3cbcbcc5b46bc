"""Decodes the pictures and the sound of a timerange from downloaded segments.

Uses only what a client of a TAMS server knows: the bytes of each media object, and the timerange and ts_offset of its
segment. A picture or sample is included if its time on the flow's timeline lies both within its segment's timerange
and within the requested one.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from . import pattern, sound
from .timeline import SECOND, Span, first_sample, in_ns


@dataclass(frozen=True)
class DownloadedSegment:
    """A media object's bytes, and the timerange and ts_offset (ns) of its segment."""

    media: bytes
    span: Span
    ts_offset: int


@dataclass(frozen=True)
class Picture:
    """A decoded picture: its time on the flow's timeline (ns), and the frame number read from it."""

    time: int
    number: int


@dataclass(frozen=True)
class Sound:
    """Decoded sound without gaps: the samples of both channels, starting at sample `start` of the flow."""

    start: int
    samples: sound.Samples


class Undecodable(Exception):
    """The media is damaged or not of the clip, or its sound has a gap or an overlap."""


def decode_video(downloaded: Iterable[DownloadedSegment], requested: Span) -> list[Picture]:
    """The pictures of the requested timerange, in segment order. Raises Undecodable."""
    with _decoding_errors():
        return [picture for piece in downloaded for picture in _pictures(piece, piece.span.overlap(requested))]


def decode_audio(downloaded: Iterable[DownloadedSegment], requested: Span) -> Sound:
    """The sound of the requested timerange. Raises Undecodable.

    One decoder is used for all segments, because each coded frame of AAC overlaps the previous one. For the same
    reason, the first coded frame of the first segment fades in.
    """
    parts: list[sound.Samples] = []
    begin = end = None
    with _decoding_errors():
        for start, samples in _blocks(downloaded, requested):
            if begin is None:
                begin = start
            elif start != end:
                raise Undecodable(f"sample {end} is followed by sample {start}")
            parts.append(samples)
            end = start + samples.shape[1]
    if begin is None:
        raise Undecodable(f"no sound in {requested}")
    return Sound(begin, np.concatenate(parts, axis=1))


@contextmanager
def _decoding_errors() -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, pattern.UnreadableFrame) as damage:
        raise Undecodable(str(damage)) from damage


def _pictures(piece: DownloadedSegment, requested: Span) -> Iterator[Picture]:
    with av.open(io.BytesIO(piece.media), "r", format="mpegts") as media:
        for frame in media.decode(video=0):
            time = _time(frame, piece)
            if time in requested:
                yield Picture(time, pattern.read_number(_luma(frame)))


def _luma(frame: av.VideoFrame) -> pattern.Plane:
    plane = frame.planes[0]
    rows: pattern.Plane = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


def _blocks(downloaded: Iterable[DownloadedSegment], requested: Span) -> Iterator[tuple[int, sound.Samples]]:
    """The requested samples of each coded frame, with the index of the first on the flow's timeline."""
    decoder = av.AudioCodecContext.create("aac", "r")
    for piece in downloaded:
        part = piece.span.overlap(requested)
        first, last = first_sample(part.start, sound.RATE), first_sample(part.end, sound.RATE)
        with av.open(io.BytesIO(piece.media), "r", format="mpegts") as media:
            for packet in media.demux(audio=0):
                # The empty packet at the end of each file would flush the decoder, which must go on.
                for frame in decoder.decode(packet) if packet.size else ():
                    start = round(Fraction(_time(frame, piece) * sound.RATE, SECOND))
                    yield from _trimmed(start, frame.to_ndarray().astype(np.float32, copy=False), first, last)


def _time(frame: av.VideoFrame | av.AudioFrame, piece: DownloadedSegment) -> int:
    if frame.pts is None or frame.time_base is None:
        raise Undecodable(f"a frame in segment {piece.span} has no presentation time")
    return in_ns(frame.pts, frame.time_base) + piece.ts_offset


def _trimmed(start: int, samples: sound.Samples, first: int, last: int) -> Iterator[tuple[int, sound.Samples]]:
    left, right = max(first - start, 0), min(last - start, samples.shape[1])
    if left < right:
        yield start + left, samples[:, left:right]
