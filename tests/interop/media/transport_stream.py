"""MPEG-TS files with video and audio of the demo's clip, or with video at any point of the 33-bit clock."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import av

from ..demo import clip as clips
from ..demo.timeline import SECOND, Span, in_ns

TYPE = "video/mp2t"
WRAP = 1 << 33
"""Ticks of the 90 kHz clock after which the timestamps of MPEG-TS start again from 0."""

_CLOCK = 90_000
_PACKET_BYTES = 188
_PICTURE = bytes([0, 0, 1, 0xE0])
# The muxer adds twice this, in microseconds, to every timestamp, so that the clock reference can run ahead.
_MAX_DELAY = 700_000

_Packet: TypeAlias = "av.Packet[Any]"


@dataclass(frozen=True)
class Muxed:
    """A file, with what it holds of each essence on the flows' timeline.

    video, audio: the spans of all coded frames of the kind; `audio` is empty if there is no sound.
    object_span: of all of them, on the file's own timeline.
    ts_offset: ns from the file's timeline to that of the flows.
    """

    media: bytes
    video: Span
    audio: Span
    object_span: Span
    ts_offset: int


def mux_clip(clip: clips.Clip, pictures: int, audio_lead: Fraction = Fraction(0)) -> list[Muxed]:
    """The first groups of `pictures` of the clip with their sound, a file for each group.

    audio_lead: seconds by which the sound is earlier than in the clip.
    """
    with av.open(str(clip.path)) as source:
        packets = [packet for packet in source.demux() if packet.size]
        lead = {each: int(audio_lead * each.sample_rate) for each in source.streams.audio}
        groups = _grouped(packets, lead)[: pictures // clips.GOP]
        return [_measured(_mux(group, lead, _MAX_DELAY), group, lead) for group in groups]


def wrap_video(clip: clips.Clip, files: int, first: int) -> list[Muxed]:
    """The first groups of pictures of the clip, a file for each, on a clock that shows `first` ticks at the start.

    The timeline of a file starts with the lowest time that is written in it, and goes on beyond WRAP.
    """
    with av.open(str(clip.path)) as source:
        packets = [packet for packet in source.demux(video=0) if packet.size]
        return [_wrapped(_mux(group, {}, 0, first), group) for group in _grouped(packets, {})[:files]]


def written_times(media: bytes) -> list[int]:
    """The presentation times of the pictures as they are written in a file, in ticks (ISO/IEC 13818-1, 2.4.3.7)."""
    times = []
    for at in range(0, len(media), _PACKET_BYTES):
        packet = media[at : at + _PACKET_BYTES]
        start = packet.find(_PICTURE, 4)
        if packet[1] & 0x40 and start >= 0 and packet[start + 7] & 0x80:
            field = packet[start + 9 : start + 14]
            times.append(
                (field[0] >> 1 & 7) << 30 | field[1] << 22 | (field[2] >> 1) << 15 | field[3] << 7 | field[4] >> 1
            )
    return times


def _wrapped(media: bytes, packets: Sequence[_Packet]) -> Muxed:
    flow = _cover(_span(packet, {}) for packet in packets)
    start = in_ns(written_times(media)[0], Fraction(1, _CLOCK))
    return Muxed(media, flow, Span(0, 0), Span(start, start + flow.end - flow.start), flow.start - start)


def _grouped(packets: Iterable[_Packet], lead: dict[Any, int]) -> list[list[_Packet]]:
    """The packets by groups of pictures. Sound goes to the group during which most of each coded frame is heard."""
    groups: list[list[_Packet]] = []
    sound: list[_Packet] = []
    for packet in packets:
        if packet.stream.type == "audio":
            sound.append(packet)
        elif packet.is_keyframe:
            groups.append([packet])
        else:
            groups[-1].append(packet)
    for packet in sound:
        span = _span(packet, lead)
        number = (span.start + span.end) // 2 // (clips.SEGMENT_SECONDS * SECOND)
        groups[min(max(number, 0), len(groups) - 1)].append(packet)
    return groups


def _mux(packets: Sequence[_Packet], lead: dict[Any, int], max_delay: int, first: int = _CLOCK) -> bytes:
    """The packets as a file in the order of decoding, on a clock that shows `first` ticks at the start of the clip."""
    target = io.BytesIO()
    options = {"max_delay": str(max_delay), "avoid_negative_ts": "disabled"}
    with av.open(target, "w", format="mpegts", options=options) as output:
        streams = {stream: output.add_stream_from_template(stream) for stream in {packet.stream for packet in packets}}
        for packet in sorted(packets, key=lambda packet: _ticks(packet.dts) * packet.time_base):
            moved = av.Packet(bytes(packet))
            ticks, early = packet.time_base * _CLOCK, lead.get(packet.stream, 0)
            moved.pts, moved.dts = (first + round((_ticks(at) - early) * ticks) for at in (packet.pts, packet.dts))
            moved.duration, moved.time_base = round(_ticks(packet.duration) * ticks), Fraction(1, _CLOCK)
            moved.is_keyframe = packet.is_keyframe
            moved.stream = streams[packet.stream]
            output.mux(moved)
    return target.getvalue()


def _measured(media: bytes, packets: Sequence[_Packet], lead: dict[Any, int]) -> Muxed:
    """The file with its times, which are read from it and not assumed."""
    spans = {kind: _cover(_span(packet, lead) for packet in packets if packet.stream.type == kind) for kind in _KINDS}
    with av.open(io.BytesIO(media), "r", format="mpegts") as source:
        found = [(packet.stream.type, _span(packet, {})) for packet in source.demux() if packet.pts is not None]
    file_spans = {kind: _cover(span for type_, span in found if type_ == kind) for kind in _KINDS}
    return Muxed(
        media,
        spans["video"],
        spans["audio"],
        _cover(file_spans.values()),
        spans["video"].start - file_spans["video"].start,
    )


_KINDS = ("video", "audio")


def _span(packet: _Packet, lead: dict[Any, int]) -> Span:
    start = _ticks(packet.pts) - lead.get(packet.stream, 0)
    return Span(in_ns(start, packet.time_base), in_ns(start + _ticks(packet.duration), packet.time_base))


def _cover(spans: Iterable[Span]) -> Span:
    found = list(spans)
    return Span(min(span.start for span in found), max(span.end for span in found)) if found else Span(0, 0)


def _ticks(ticks: int | None) -> int:
    assert ticks is not None
    return ticks
