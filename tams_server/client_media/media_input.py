"""Files, URLs and standard input, by FFmpeg's libraries: their streams, and their packets with exact times."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

import av

from tams_server.client.errors import shown_url
from tams_server.client_media.coded_frame import CodedFrame
from tams_server.client_media.errors import MediaError
from tams_server.client_media.field_pairs import FieldPairs
from tams_server.client_media.input_timeline import InputTimeline
from tams_server.client_media.live_packets import LivePackets
from tams_server.client_media.standard_input import StandardInput
from tams_server.client_media.stream_reader import StreamReader

_KINDS: Final = ("video", "audio")
_OPTIONS: Final = {"fflags": "+genpts"}
_LIVE_OPTIONS: Final = {**_OPTIONS, "analyzeduration": "2000000"}
"""Two seconds of a stream, in microseconds, are enough to know what is in it; FFmpeg's default is five."""
_LIVE_TIMEOUT: Final = (20.0, 60.0)
"""Seconds to connect, and to wait for data, before a live input counts as ended."""
_LENGTH_FROM_ZERO: Final = frozenset({"matroska", "webm", "mp4", "mov"})
"""Formats that state when the media end, and not how long they are."""
_PIPED: Final = "MP4 and MOV in a pipe need their index before the media: ffmpeg -movflags +faststart, or name the file"
_RATE_FRAMES: Final = 12
"""With fewer frames the rate that the container states counts."""


@dataclass(slots=True)
class Input:
    """An open input. streams: of video and audio, in the order of the file. left_out: what is not read, in words.

    notes: what was found while it was read.
    """

    container: Any
    streams: list[Any]
    live: bool
    left_out: list[str] = field(default_factory=list)
    pipe: StandardInput | None = None
    notes: list[str] = field(default_factory=list)
    _stopped: bool = False
    _reading: LivePackets | None = None

    @property
    def origin(self) -> Fraction:
        """When the first stream begins, in seconds on the timeline of the input."""
        starts = [each.start_time * each.time_base for each in self.streams if each.start_time is not None]
        return min(starts, default=Fraction(0))

    @property
    def duration(self) -> Fraction | None:
        """In seconds; None if it is not known."""
        known = self.container.duration
        if known is None or self.live:
            return None
        length = Fraction(known, av.time_base)
        counts_from_zero = not _LENGTH_FROM_ZERO.isdisjoint(self.container.format.name.split(","))
        return length - self.origin if counts_from_zero and 0 < self.origin < length else length

    def stop(self) -> None:
        """End the input, also a read that waits, if it is live. Safe in a signal handler."""
        self._stopped = True
        if self.pipe is not None:
            self.pipe.stop()
        if self._reading is not None:
            self._reading.stop()

    def close(self) -> None:
        """Close the input. One that still waits for its sender is left to the end of the process."""
        if self._reading is None or self._reading.ended():
            self.container.close()

    def _check(self) -> None:
        if self.pipe is not None:
            self.pipe.check()

    @property
    def _whole_frames(self) -> bool:
        """Whether the container has an index of frames, so that an incomplete one is damage, and no loss on the way."""
        return "mp4" in self.container.format.name.split(",")

    def _packets(self) -> Iterator[Any]:
        """The packets, until a live input is stopped or silent."""
        if not self.live or self.pipe is not None:
            yield from self.container.demux(self.streams)
            return
        self._reading = LivePackets(lambda: self.container.demux(self.streams))
        try:
            yield from self._reading
        except (av.error.ExitError, OSError) as error:
            # Data that are damaged are another error, which has no number of the operating system.
            silent = f"nothing came for {_LIVE_TIMEOUT[1]:.0f} s"
            reason = silent if isinstance(error, av.error.ExitError) else error.strerror
            self.notes.append(f"the input ended: {reason}")

    def frames(self) -> Iterator[CodedFrame]:
        """The packets of all streams, as they come. Raises MediaError for media that cannot be read."""
        readers = {each.index: StreamReader(each) for each in self.streams}
        pairs = {each.index: FieldPairs(each) for each in self.streams}
        timeline = InputTimeline(self.live, self.notes)
        try:
            for packet in self._packets():
                if packet.is_corrupt and self._whole_frames:
                    raise MediaError(f"the file is damaged or cut off in its {packet.stream.type}")
                if packet.size:
                    for whole in pairs[packet.stream_index].add(packet):
                        yield from readers[packet.stream_index].frames(whole, timeline)
                self._check()
                if self._stopped:
                    break
            self._check()
            for index, reader in readers.items():
                for whole in pairs[index].rest():
                    yield from reader.frames(whole, timeline)
                yield from reader.rest(timeline)
        except av.FFmpegError as error:
            self._check()
            hint = f". {_PIPED}" if self.pipe is not None and self._whole_frames else ""
            raise MediaError(f"the input cannot be read: {error.strerror}{hint}") from error


@contextmanager
def opened(name: str, *, live: bool = False, listen: bool = False) -> Iterator[Input]:
    """Open a file, a URL, or standard input ("-"). listen: wait at the URL for a sender.

    Raises MediaError, also if there is no video and no audio.
    """
    pipe = StandardInput() if name == "-" else None
    shown = shown_url(name) if "://" in name else name
    try:
        options = {**(_LIVE_OPTIONS if live else _OPTIONS), **({"listen": "1"} if listen else {})}
        patience = (None if listen else _LIVE_TIMEOUT[0], _LIVE_TIMEOUT[1]) if live and not pipe else None
        container = av.open(pipe or name, options=options, timeout=patience)
    except av.error.ProtocolNotFoundError as error:
        protocol = shown.partition("://")[0]
        raise MediaError(
            f"FFmpeg's libraries in PyAV have no {protocol}: pipe another tool's MPEG-TS into -"
        ) from error
    except (av.FFmpegError, OSError) as error:
        if pipe is not None:
            pipe.check()
            raise MediaError(f"standard input cannot be read: {error.strerror}. {_PIPED}") from error
        is_empty = os.path.isfile(name) and not os.path.getsize(name)
        raise MediaError(f"{shown} {'is empty' if is_empty else f'cannot be read: {error.strerror}'}") from error
    with ExitStack() as stack:
        stack.callback(container.close)
        streams = [each for each in container.streams if each.type in _KINDS and not _is_picture(each)]
        left_out = [f"{each.type} stream {each.index}" for each in container.streams if each not in streams]
        if not streams:
            raise MediaError(f"{shown} has neither video nor audio")
        stack.pop_all()
        source = Input(container, streams, live, left_out, pipe)
        stack.callback(source.close)
        yield source


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
