"""Turns the packets of one stream of an input into frames with exact times."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

from tams_server.client_media.coded_frame import CodedFrame
from tams_server.client_media.errors import MediaError
from tams_server.client_media.input_timeline import InputTimeline
from tams_server.client_media.sound_samples import SampleCounter
from tams_server.client_media.ticks import FrameGrid

_REORDERED: Final = 32
"""Frames without a decoding time at the start of a stream; H.264 and H.265 reorder 16 at most."""
_UNTIMED: Final = "the video has frames without a time: remux it first, as to MP4 or MPEG-TS"
_SKIP: Final = struct.Struct("<II")
_EXACT_ENDS: Final = ("mp4", "mp3")
"""Formats of FFmpeg whose stated duration of sound leaves the encoder's padding out."""


class StreamReader:
    """Reads one stream. Feed it with its packets by `frames`, and take the `rest` at the end."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._unit = Fraction(stream.time_base)
        context = stream.codec_context
        self._rate = context.sample_rate if stream.type == "audio" else None
        self._grid = FrameGrid(self._frame_length(context), self._unit)
        # A clock that cannot express a sample, as of milliseconds or 90 kHz: the samples count.
        coarse = self._rate is not None and (Fraction(1, self._rate) / self._unit).denominator != 1
        self._counter = SampleCounter(stream) if coarse else None
        self._counted: int | None = None
        self._sound_end: Fraction | None = None
        self._limit = self._stated_end()
        self._moved = False
        self._next: Fraction | None = None
        self._last_decode: Fraction | None = None
        self._reorders = stream.type == "video" and bool(context.has_b_frames)
        self._held: list[Any] = []
        self._skip = Fraction(0)

    def frames(self, packet: Any, timeline: InputTimeline) -> Iterator[CodedFrame]:
        """The frames that are known with this packet. Raises MediaError if one has no time.

        Matroska has no decoding times, and FFmpeg knows those of the first reordered frames only from later ones.
        """
        self._counted = self._counter.count(packet) if self._counter is not None else None
        if packet.dts is not None and self._held:
            yield from self._released(Fraction(packet.dts) * self._unit, timeline)
        if self._reorders and packet.dts is None and packet.pts is not None and self._last_decode is None:
            if len(self._held) == _REORDERED:
                raise MediaError(_UNTIMED)
            self._held.append(packet)
        else:
            yield self._frame(packet, self._decode(packet, timeline), timeline)

    def rest(self, timeline: InputTimeline) -> Iterator[CodedFrame]:
        """The frames that were held until the end, in a stream that is shorter than its reordering."""
        if self._held:
            times = sorted(Fraction(each.pts) * self._unit for each in self._held)
            yield from self._released(times[0] + self._length(self._held[0]), timeline)

    def _released(self, following: Fraction, timeline: InputTimeline) -> Iterator[CodedFrame]:
        """The held frames, decoded one frame apart. following: the decoding time of the next one."""
        held, self._held = self._held, []
        first = min(Fraction(each.pts) * self._unit for each in held)
        decode = min(following - sum(map(self._length, held)), first)
        for packet in held:
            yield self._frame(packet, decode, timeline)
            decode += self._length(packet)

    def _frame(self, packet: Any, decode: Fraction, timeline: InputTimeline) -> CodedFrame:
        length = self._length(packet)
        start = self._start(packet, decode)
        self._sound_end = start + length
        fixed = self._rate is None and self._grid.frame is not None
        offset = timeline.place(packet.stream_index, decode, start, length, fixed=fixed)
        self._moved = self._moved or bool(offset)
        decode, start, end = decode + offset, start + offset, start + length + offset
        # A coarse clock's rounding never brings a frame before its decoding.
        decode = min(decode, start)
        if self._last_decode is not None:
            decode = max(decode, min(self._last_decode + self._unit, start))
        self._next, self._last_decode = end, decode
        shown = self._shown(packet, start, end)
        return CodedFrame(packet, packet.stream_index, start, end, decode, bool(packet.is_keyframe), shown)

    def _stated_end(self) -> Fraction | None:
        """When the sound ends, before the padding of its encoder, where the container states that exactly."""
        stream = self._stream
        if not self._rate or stream.duration is None or stream.start_time is None:
            return None
        exact = any(name in stream.container.format.name.split(",") for name in _EXACT_ENDS)
        return (stream.start_time + stream.duration) * self._unit if exact else None

    def _frame_length(self, context: Any) -> Fraction | None:
        if self._rate:
            return Fraction(context.frame_size, self._rate) if context.frame_size else Fraction(1, self._rate)
        rate = self._stream.average_rate
        return 1 / Fraction(rate) if rate else None

    def _decode(self, packet: Any, timeline: InputTimeline) -> Fraction:
        ticks = packet.dts if packet.dts is not None or self._reorders else packet.pts
        if ticks is None:
            if self._next is None:
                return Fraction(0)
            following = self._next if self._last_decode is None else self._last_decode + self._length(packet)
            return following - timeline.offset(packet.stream_index)
        return Fraction(ticks) * self._unit

    def _start(self, packet: Any, decode: Fraction) -> Fraction:
        if packet.pts is None and self._stream.type == "video" and self._stream.codec_context.has_b_frames:
            raise MediaError(_UNTIMED)
        time = decode if packet.pts is None else Fraction(packet.pts) * self._unit
        if self._counter is None:
            return self._grid.exact(time)
        if self._sound_end is None:
            return self._primed(packet, time)
        # Half a tick each from the rounding of this time and of the first one.
        return self._sound_end if abs(time - self._sound_end) <= self._unit else time

    def _primed(self, packet: Any, time: Fraction) -> Fraction:
        """The exact time of the first sound, before which the encoder's priming lies.

        FFmpeg rounds the priming to the container's clock: 6.5 ms of Opus become 7 in WebM, so that the sound would
        begin half a millisecond early.
        """
        skipped = Fraction(self._skipped(packet)[0], self._rate or 1)
        return time + (skipped / self._unit + Fraction(1, 2)).__floor__() * self._unit - skipped

    @staticmethod
    def _skipped(packet: Any) -> tuple[int, int]:
        """The samples that are not to be heard at the start and at the end of a packet."""
        if not packet.has_sidedata("skip_samples"):
            return 0, 0
        before, after = _SKIP.unpack_from(bytes(packet.get_sidedata("skip_samples")))
        return int(before), int(after)

    def _length(self, packet: Any) -> Fraction:
        stated = Fraction(packet.duration or 0) * self._unit
        frame = self._grid.frame
        if self._counted is not None and self._rate:
            return Fraction(self._counted, self._rate)
        if frame is None:
            return stated or self._unit
        if self._rate and frame == Fraction(1, self._rate):
            return Fraction(round(stated * self._rate), self._rate)
        if not stated or abs(stated - frame) <= self._unit:
            return frame
        return stated

    def _shown(self, packet: Any, start: Fraction, end: Fraction) -> tuple[Fraction, Fraction] | None:
        if self._rate and packet.has_sidedata("skip_samples"):
            before, after = self._skipped(packet)
            self._skip = Fraction(before, self._rate)
            end -= Fraction(after, self._rate)
            if self._counted == 0:  # the first packet of Vorbis, which is the priming itself
                self._skip = Fraction(0)
        elif packet.is_discard:
            self._skip = max(self._skip - (end - start), Fraction(0))
            return None
        # An edit list may hide more samples than one packet has.
        skipped = max(min(self._skip, end - start), Fraction(0))
        self._skip -= skipped
        start += skipped
        if self._limit is not None and not self._moved:
            end = min(end, self._limit)
        return (start, end) if start < end else None
