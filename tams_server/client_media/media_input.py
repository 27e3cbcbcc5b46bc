"""Files, URLs and standard input, by FFmpeg's libraries: their streams, and their packets with exact times."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

import av

from tams_server.client_media.coded_frame import CodedFrame
from tams_server.client_media.errors import MediaError
from tams_server.client_media.standard_input import StandardInput
from tams_server.client_media.ticks import FrameGrid

_KINDS: Final = ("video", "audio")
_OPTIONS: Final = {"fflags": "+genpts"}
_LIVE_OPTIONS: Final = {**_OPTIONS, "analyzeduration": "2000000"}
"""Two seconds of a stream, in microseconds, are enough to know what is in it; FFmpeg's default is five."""
_LIVE_TIMEOUT: Final = (20.0, 60.0)
"""Seconds to connect, and to wait for data, before a live input counts as ended."""
_JUMP_S: Final = 10
"""Jumps of decoding times that begin a new timeline, in seconds: backwards, and forwards in live inputs."""
_REORDERED: Final = 32
"""Frames without a decoding time at the start of a stream; H.264 and H.265 reorder 16 at most."""
_PIPED: Final = "MP4 and MOV in a pipe need their index before the media: ffmpeg -movflags +faststart, or name the file"
_UNTIMED: Final = "the video has frames without a time: remux it first, as to MP4 or MPEG-TS"
_SKIP: Final = struct.Struct("<II")
_RATE_FRAMES: Final = 12
"""With fewer frames the rate that the container states counts."""
_EXACT_ENDS: Final = ("mp4", "mp3")
"""Formats of FFmpeg whose stated duration of sound leaves the encoder's padding out."""


@dataclass(slots=True)
class Input:
    """An open input. streams: of video and audio, in the order of the file. left_out: what is not read, in words."""

    container: Any
    streams: list[Any]
    live: bool
    left_out: list[str] = field(default_factory=list)
    pipe: StandardInput | None = None

    @property
    def origin(self) -> Fraction:
        """When the first stream begins, in seconds on the timeline of the input."""
        starts = [each.start_time * each.time_base for each in self.streams if each.start_time is not None]
        return min(starts, default=Fraction(0))

    @property
    def duration(self) -> Fraction | None:
        """In seconds; None if it is not known."""
        known = self.container.duration
        return None if known is None or self.live else Fraction(known, av.time_base)

    def _check(self) -> None:
        if self.pipe is not None:
            self.pipe.check()

    @property
    def _whole_frames(self) -> bool:
        """Whether the container has an index of frames, so that an incomplete one is damage, and no loss on the way."""
        return "mp4" in self.container.format.name.split(",")

    def frames(self) -> Iterator[CodedFrame]:
        """The packets of all streams, as they come. Raises MediaError for media that cannot be read."""
        readers = {each.index: _StreamReader(each) for each in self.streams}
        timeline = _Timeline(self.live)
        try:
            for packet in self.container.demux(self.streams):
                if packet.is_corrupt and self._whole_frames:
                    raise MediaError(f"the file is damaged or cut off in its {packet.stream.type}")
                if packet.size:
                    yield from readers[packet.stream_index].frames(packet, timeline)
                self._check()
            self._check()
            for reader in readers.values():
                yield from reader.rest(timeline)
        except av.FFmpegError as error:
            self._check()
            hint = f". {_PIPED}" if self.pipe is not None and self._whole_frames else ""
            raise MediaError(f"the input cannot be read: {error.strerror}{hint}") from error


@contextmanager
def opened(name: str, *, live: bool = False) -> Iterator[Input]:
    """Open a file, a URL, or standard input ("-"). Raises MediaError, also if there is no video and no audio."""
    pipe = StandardInput() if name == "-" else None
    try:
        options = dict(_LIVE_OPTIONS if live else _OPTIONS)
        container = av.open(pipe or name, options=options, timeout=_LIVE_TIMEOUT if live and not pipe else None)
    except av.error.ProtocolNotFoundError as error:
        protocol = name.partition("://")[0]
        raise MediaError(
            f"FFmpeg's libraries in PyAV have no {protocol}: pipe another tool's MPEG-TS into -"
        ) from error
    except (av.FFmpegError, OSError) as error:
        if pipe is not None:
            pipe.check()
            raise MediaError(f"standard input cannot be read: {error.strerror}. {_PIPED}") from error
        raise MediaError(f"{name} cannot be read: {error.strerror}") from error
    with container:
        streams = [each for each in container.streams if each.type in _KINDS and not _is_picture(each)]
        left_out = [f"{each.type} stream {each.index}" for each in container.streams if each not in streams]
        if not streams:
            raise MediaError(f"{name} has neither video nor audio")
        yield Input(container, streams, live, left_out, pipe)


def _is_picture(stream: Any) -> bool:
    """Whether a stream of video is a cover, not moving pictures."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def frame_rate(stream: Any, starts: Sequence[Fraction]) -> Fraction | None:
    """The fixed frame rate of video; None if it varies. starts: of its first frames, in seconds."""
    rate = stream.average_rate or stream.guessed_rate
    if not rate:
        return None
    rate = Fraction(rate)
    unit = Fraction(stream.time_base)
    ordered = sorted(starts)
    steps = [later - earlier for earlier, later in pairwise(ordered)]
    if len(ordered) < _RATE_FRAMES:
        return rate
    if any(abs(step - 1 / rate) > unit for step in steps):
        longest, shortest = max(steps), min(steps)
        guessed = Fraction(stream.guessed_rate or rate)
        if longest - shortest > 2 * unit or abs(steps[0] - 1 / guessed) > unit:
            return None
        return guessed
    return rate


class _Timeline:
    """One timeline for all streams, also where the clock of the input jumps. Times in seconds."""

    def __init__(self, live: bool) -> None:
        self._live = live
        self._offset = Fraction(0)
        self._latest: Fraction | None = None

    def place(self, decode: Fraction) -> Fraction:
        """What to add to the times of a packet with this decoding time."""
        placed = decode + self._offset
        if self._latest is not None:
            jump = placed - self._latest
            if jump < -_JUMP_S or (self._live and jump > _JUMP_S):
                self._offset += self._latest - placed
                placed = self._latest
        self._latest = placed if self._latest is None else max(self._latest, placed)
        return self._offset


class _StreamReader:
    """Turns the packets of one stream into frames with exact times."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._unit = Fraction(stream.time_base)
        context = stream.codec_context
        self._rate = context.sample_rate if stream.type == "audio" else None
        self._grid = FrameGrid(self._frame_length(context), self._unit)
        self._limit = self._stated_end()
        self._moved = False
        self._next: Fraction | None = None
        self._last_decode: Fraction | None = None
        self._reorders = stream.type == "video" and bool(context.has_b_frames)
        self._held: list[Any] = []
        self._skip = Fraction(0)

    def frames(self, packet: Any, timeline: _Timeline) -> Iterator[CodedFrame]:
        """The frames that are known with this packet. Raises MediaError if one has no time.

        Matroska has no decoding times, and FFmpeg knows those of the first reordered frames only from later ones.
        """
        if packet.dts is not None and self._held:
            yield from self._released(Fraction(packet.dts) * self._unit, timeline)
        if self._reorders and packet.dts is None and packet.pts is not None and self._last_decode is None:
            if len(self._held) == _REORDERED:
                raise MediaError(_UNTIMED)
            self._held.append(packet)
        else:
            yield self._frame(packet, self._decode(packet), timeline)

    def rest(self, timeline: _Timeline) -> Iterator[CodedFrame]:
        """The frames that were held until the end, in a stream that is shorter than its reordering."""
        if self._held:
            times = sorted(Fraction(each.pts) * self._unit for each in self._held)
            yield from self._released(times[0] + self._length(self._held[0]), timeline)

    def _released(self, following: Fraction, timeline: _Timeline) -> Iterator[CodedFrame]:
        """The held frames, decoded one frame apart. following: the decoding time of the next one."""
        held, self._held = self._held, []
        first = min(Fraction(each.pts) * self._unit for each in held)
        decode = min(following - sum(map(self._length, held)), first)
        for packet in held:
            yield self._frame(packet, decode, timeline)
            decode += self._length(packet)

    def _frame(self, packet: Any, decode: Fraction, timeline: _Timeline) -> CodedFrame:
        offset = timeline.place(decode)
        self._moved = self._moved or bool(offset)
        decode += offset
        start = self._start(packet, decode - offset) + offset
        end = start + self._length(packet)
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

    def _decode(self, packet: Any) -> Fraction:
        ticks = packet.dts if packet.dts is not None or self._reorders else packet.pts
        if ticks is None:
            if self._next is None:
                return Fraction(0)
            return self._next if self._last_decode is None else self._last_decode + self._length(packet)
        return Fraction(ticks) * self._unit

    def _start(self, packet: Any, decode: Fraction) -> Fraction:
        if packet.pts is None and self._stream.type == "video" and self._stream.codec_context.has_b_frames:
            raise MediaError(_UNTIMED)
        return self._grid.exact(decode if packet.pts is None else Fraction(packet.pts) * self._unit)

    def _length(self, packet: Any) -> Fraction:
        stated = Fraction(packet.duration or 0) * self._unit
        frame = self._grid.frame
        if frame is None:
            return stated or self._unit
        if self._rate and frame == Fraction(1, self._rate):
            return Fraction(round(stated * self._rate), self._rate)
        if not stated or abs(stated - frame) <= self._unit:
            return frame
        return stated

    def _shown(self, packet: Any, start: Fraction, end: Fraction) -> tuple[Fraction, Fraction] | None:
        if self._rate and packet.has_sidedata("skip_samples"):
            before, after = _SKIP.unpack_from(bytes(packet.get_sidedata("skip_samples")))
            self._skip = Fraction(before, self._rate)
            end -= Fraction(after, self._rate)
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
