"""Cuts a clip into MPEG-TS segments, with their exact positions (ns) on the flow's timeline.

Video is cut at key frames. Audio is cut at the coded frame nearest to each video cut, because a coded frame (1024
samples) is the smallest unit of AAC. The clock of each file restarts, plus a delay that the MPEG-TS muxer adds; the
actual times are read back from the finished file, not assumed. Where a file contains more than the recording (encoder
priming before the first sample, padding after the last), the object's timerange covers that, the segment's does not.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import av

from . import clip as clips
from .timeline import SECOND, Span, in_ns

# Microseconds. The muxer adds twice this to every timestamp, so that the clock reference can run ahead.
_MAX_DELAY = 700_000


_Packet: TypeAlias = "av.Packet[Any]"


class UnsuitableClip(Exception):
    """The clip cannot be cut at the required positions."""


@dataclass(frozen=True)
class Piece:
    """A segment and the bytes of its media object.

    span: of the segment, on the flow's timeline. object_span: of the whole file, on the file's own timeline.
    ts_offset: ns to add to a time in the file to get the time on the flow's timeline.
    last_duration: ns from the last sample to the end; None if that is not an integer.
    """

    media: bytes
    span: Span
    object_span: Span
    ts_offset: int
    key_frames: int | None
    last_duration: int | None


@dataclass(frozen=True)
class Essence:
    """The clip's video or audio: its pieces in order, and the decoder configuration (extradata)."""

    pieces: list[Piece]
    decoder_config: bytes

    @property
    def size(self) -> int:
        """The total number of bytes."""
        return sum(len(piece.media) for piece in self.pieces)


def cut_video(clip: clips.Clip) -> Essence:
    """Cut the clip's video, one segment for each group of pictures. Raises UnsuitableClip."""
    last_duration = in_ns(1, Fraction(1, clips.FRAME_RATE))
    with _packets(clip, "video") as (packets, decoder_config):
        pieces = [_piece(group, _whole(clip), 1, last_duration) for group in _split_at_key_frames(packets)]
    return Essence(pieces, decoder_config)


def cut_audio(clip: clips.Clip) -> Essence:
    """Cut the clip's audio at the coded frames nearest to the video's cuts. Raises UnsuitableClip."""
    with _packets(clip, "audio") as (packets, decoder_config):
        pieces = [_piece(group, _whole(clip), None, None) for group in _split_near_cuts(packets, _whole(clip))]
    return Essence(pieces, decoder_config)


def frame_spans(media: bytes) -> list[Span]:
    """The presentation span of each coded frame of an MPEG-TS file, on the file's own timeline, in file order."""
    with av.open(io.BytesIO(media), "r", format="mpegts") as source:
        return [_frame_span(packet) for packet in source.demux() if packet.pts is not None]


def _piece(packets: Sequence[_Packet], whole: Span, key_frames: int | None, last_duration: int | None) -> Piece:
    planned = [_frame_span(packet) for packet in packets]
    media = _mux(packets, whole_seconds=round(min(moment.start for moment in planned) / SECOND))
    measured = frame_spans(media)
    offsets = {flow.start - file.start for flow, file in zip(planned, measured, strict=True)}
    if len(offsets) != 1:
        raise UnsuitableClip(f"the muxer shifted frames of one segment by different amounts: {sorted(offsets)} ns")
    ts_offset = offsets.pop()
    object_span = _enclosing_span(measured)
    return Piece(
        media=media,
        span=object_span.shifted(ts_offset).overlap(whole),
        object_span=object_span,
        ts_offset=ts_offset,
        key_frames=key_frames,
        last_duration=last_duration,
    )


def _mux(packets: Iterable[_Packet], whole_seconds: int) -> bytes:
    """Mux the packets into an MPEG-TS file, with times reduced by `whole_seconds` and delayed by the muxer."""
    target = io.BytesIO()
    # Times may be negative until the delay is added: the muxer must not shift the first to zero.
    options = {"max_delay": str(_MAX_DELAY), "avoid_negative_ts": "disabled"}
    with av.open(target, "w", format="mpegts", options=options) as output:
        stream = None
        for packet in packets:
            stream = stream or output.add_stream_from_template(packet.stream)
            moved = av.Packet(bytes(packet))
            back = int(whole_seconds / packet.time_base)
            moved.pts, moved.dts = _require_ticks(packet.pts) - back, _require_ticks(packet.dts) - back
            moved.duration, moved.time_base, moved.is_keyframe = packet.duration, packet.time_base, packet.is_keyframe
            moved.stream = stream
            output.mux(moved)
    return target.getvalue()


@contextmanager
def _packets(clip: clips.Clip, kind: str) -> Iterator[tuple[list[_Packet], bytes]]:
    """All packets of the clip's video or audio, in file order, and the decoder configuration.

    The packets are invalid once the clip is closed, at the end of the block.
    """
    with av.open(str(clip.path)) as media:
        stream = next(stream for stream in media.streams if stream.type == kind)
        packets = [packet for packet in media.demux(stream) if packet.size]
        if not packets:
            raise UnsuitableClip(f"the clip has no {kind}")
        yield packets, bytes(stream.codec_context.extradata or b"")


def _split_at_key_frames(packets: Iterable[_Packet]) -> list[list[_Packet]]:
    groups: list[list[_Packet]] = []
    for packet in packets:
        if packet.is_keyframe:
            groups.append([])
        elif not groups or _frame_span(packet).start < _frame_span(groups[-1][0]).start:
            raise UnsuitableClip("a frame precedes its key frame in time: the groups of pictures are not closed")
        groups[-1].append(packet)
    return groups


def _split_near_cuts(packets: Iterable[_Packet], whole: Span) -> list[list[_Packet]]:
    length = clips.SEGMENT_SECONDS * SECOND
    last = -(-whole.end // length) - 1
    groups: list[list[_Packet]] = [[] for _ in range(last + 1)]
    for packet in packets:
        middle = (_frame_span(packet).start + _frame_span(packet).end) // 2
        groups[min(max(middle // length, 0), last)].append(packet)
    return groups


def _whole(clip: clips.Clip) -> Span:
    return Span(0, in_ns(clip.frames, Fraction(1, clips.FRAME_RATE)))


def _frame_span(packet: _Packet) -> Span:
    start = _require_ticks(packet.pts)
    return Span(
        in_ns(start, packet.time_base), in_ns(start + _require_ticks(packet.duration or None), packet.time_base)
    )


def _require_ticks(ticks: int | None) -> int:
    if ticks is None:
        raise UnsuitableClip("a coded frame has no presentation time or no duration")
    return ticks


def _enclosing_span(frame_spans: Sequence[Span]) -> Span:
    return Span(min(moment.start for moment in frame_spans), max(moment.end for moment in frame_spans))
