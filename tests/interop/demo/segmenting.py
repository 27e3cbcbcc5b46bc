"""Cuts a clip into segments: an MPEG-TS file each, with where it lies on the flow's timeline, exact to the nanosecond.

Video is cut at key frames. Audio is cut at the coded frame nearest to each video cut, a coded frame (1024 samples)
being the smallest piece of AAC. Each file has a clock of its own that starts anew, late by the delay that the MPEG-TS
muxer adds; what the clock then really says is read back from the finished file, not assumed. Where a file holds more
than the recording (the encoder's run-in before the first sample, its padding after the last), the object's timerange
covers that, and the segment's does not.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import av

from . import clip as clips
from .times import SECOND, Span, in_ns

# Microseconds. The muxer adds twice this to every timestamp, which makes room for the clock reference to run ahead.
_MAX_DELAY = 700_000


_Packet: TypeAlias = "av.Packet[Any]"


class UnsuitableClip(Exception):
    """The clip cannot be cut at the places where it should be."""


@dataclass(frozen=True)
class Piece:
    """One segment and the bytes of its media object.

    span: of the segment, on the flow's timeline. object_span: of all that is in the file, on the file's own timeline.
    ts_offset: nanoseconds to add to a time in the file for the time on the flow's timeline.
    last_duration: nanoseconds from the last sample to the end; None where it is no whole number.
    """

    media: bytes
    span: Span
    object_span: Span
    ts_offset: int
    key_frames: int | None
    last_duration: int | None


@dataclass(frozen=True)
class Essence:
    """What a flow of this clip's video or audio needs to know: its pieces in order, and the decoder's set-up bytes."""

    pieces: list[Piece]
    setup: bytes

    @property
    def size(self) -> int:
        """Bytes in all pieces together."""
        return sum(len(piece.media) for piece in self.pieces)


def cut_video(clip: clips.Clip) -> Essence:
    """Segments of the clip's pictures, one for each group of pictures. Raises UnsuitableClip."""
    last_duration = in_ns(1, Fraction(1, clips.FRAME_RATE))
    with _packets(clip, "video") as (packets, setup):
        pieces = [_piece(group, _whole(clip), 1, last_duration) for group in _at_key_frames(packets)]
    return Essence(pieces, setup)


def cut_audio(clip: clips.Clip) -> Essence:
    """Segments of the clip's sound, cut at the coded frames nearest to the video's cuts. Raises UnsuitableClip."""
    with _packets(clip, "audio") as (packets, setup):
        pieces = [_piece(group, _whole(clip), None, None) for group in _near_cuts(packets, _whole(clip))]
    return Essence(pieces, setup)


def moments(media: bytes) -> list[Span]:
    """When each coded frame of an MPEG-TS file is presented, on the file's own timeline, in the order of the file."""
    with av.open(io.BytesIO(media), "r", format="mpegts") as source:
        return [_moment(packet) for packet in source.demux() if packet.pts is not None]


def _piece(packets: Sequence[_Packet], whole: Span, key_frames: int | None, last_duration: int | None) -> Piece:
    planned = [_moment(packet) for packet in packets]
    media = _mux(packets, whole_seconds=round(min(moment.start for moment in planned) / SECOND))
    measured = moments(media)
    offsets = {flow.start - file.start for flow, file in zip(planned, measured, strict=True)}
    if len(offsets) != 1:
        raise UnsuitableClip(f"the muxer moved frames of one segment by different times: {sorted(offsets)} ns")
    ts_offset = offsets.pop()
    object_span = _cover(measured)
    return Piece(
        media=media,
        span=object_span.shifted(ts_offset).overlap(whole),
        object_span=object_span,
        ts_offset=ts_offset,
        key_frames=key_frames,
        last_duration=last_duration,
    )


def _mux(packets: Iterable[_Packet], whole_seconds: int) -> bytes:
    """An MPEG-TS file of these packets, their times lowered by so many seconds and raised by the muxer's delay."""
    target = io.BytesIO()
    # Times may stay negative until the delay is added: the muxer is not to move the first of them to zero.
    options = {"max_delay": str(_MAX_DELAY), "avoid_negative_ts": "disabled"}
    with av.open(target, "w", format="mpegts", options=options) as output:
        stream = None
        for packet in packets:
            stream = stream or output.add_stream_from_template(packet.stream)
            moved = av.Packet(bytes(packet))
            back = int(whole_seconds / packet.time_base)
            moved.pts, moved.dts = _timed(packet.pts) - back, _timed(packet.dts) - back
            moved.duration, moved.time_base, moved.is_keyframe = packet.duration, packet.time_base, packet.is_keyframe
            moved.stream = stream
            output.mux(moved)
    return target.getvalue()


@contextmanager
def _packets(clip: clips.Clip, kind: str) -> Iterator[tuple[list[_Packet], bytes]]:
    """All packets of the clip's video or audio, in the order of the file, and the decoder's set-up bytes.

    The packets are of no use once the clip is closed, which happens on leaving.
    """
    with av.open(str(clip.path)) as media:
        stream = next(stream for stream in media.streams if stream.type == kind)
        packets = [packet for packet in media.demux(stream) if packet.size]
        if not packets:
            raise UnsuitableClip(f"the clip has no {kind}")
        yield packets, bytes(stream.codec_context.extradata or b"")


def _at_key_frames(packets: Iterable[_Packet]) -> list[list[_Packet]]:
    groups: list[list[_Packet]] = []
    for packet in packets:
        if packet.is_keyframe:
            groups.append([])
        elif not groups or _moment(packet).start < _moment(groups[-1][0]).start:
            raise UnsuitableClip("a picture refers past the key frame before it: the groups of pictures are not closed")
        groups[-1].append(packet)
    return groups


def _near_cuts(packets: Iterable[_Packet], whole: Span) -> list[list[_Packet]]:
    length = clips.SEGMENT_SECONDS * SECOND
    last = -(-whole.end // length) - 1
    groups: list[list[_Packet]] = [[] for _ in range(last + 1)]
    for packet in packets:
        middle = (_moment(packet).start + _moment(packet).end) // 2
        groups[min(max(middle // length, 0), last)].append(packet)
    return groups


def _whole(clip: clips.Clip) -> Span:
    return Span(0, in_ns(clip.frames, Fraction(1, clips.FRAME_RATE)))


def _moment(packet: _Packet) -> Span:
    start = _timed(packet.pts)
    return Span(in_ns(start, packet.time_base), in_ns(start + _timed(packet.duration or None), packet.time_base))


def _timed(ticks: int | None) -> int:
    if ticks is None:
        raise UnsuitableClip("a coded frame does not say when it is presented, or for how long")
    return ticks


def _cover(moments: Sequence[Span]) -> Span:
    return Span(min(moment.start for moment in moments), max(moment.end for moment in moments))
