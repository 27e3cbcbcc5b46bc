"""The packets of an exported track: exact frames of video, sound cut at coded frames or samples, with new times."""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import Final

from storage.timerange import NS
from tams_server.client_media.edge_encoder import EdgeEncoder, can_encode
from tams_server.client_media.errors import MediaError
from tams_server.client_media.exact_cut import ExactCut, ExactFrame, whole_groups
from tams_server.client_media.export_plan import Track
from tams_server.client_media.flow_reader import StoredSegment, runs
from tams_server.client_media.parameter_sets import byte_stream, joined, sets_of
from tams_server.client_media.stored_frames import Coding, FrameReader, StoredFrame
from tams_server.client_media.ticks import in_ns

_NAL_CODECS: Final = ("h264", "hevc")
_OPUS_HEAD: Final = 19
_LOOK_AHEAD: Final = 64
"""Frames in which the depth of reordering shows."""


@dataclass(slots=True)
class OutPacket:
    """A packet to mux. Times in ticks of `unit` seconds from the beginning of the export."""

    data: bytes
    pts: int
    dts: int
    duration: int
    key: bool
    unit: Fraction

    @property
    def at(self) -> Fraction:
        """The decoding time in seconds."""
        return self.dts * self.unit


@dataclass(slots=True)
class Counts:
    """What an export wrote: frames of video, and how many of them were re-encoded; end: of what is done, in ns."""

    frames: int = 0
    encoded: int = 0
    end: int = 0
    reencoded_runs: list[str] = field(default_factory=list)


class VideoTrack:
    """The packets of video in the window [start, end), in ns. in_band: parameter sets go before each key frame."""

    def __init__(
        self, track: Track, reader: FrameReader, coding: Coding, window: tuple[int, int], *, in_band: bool, copy: bool
    ) -> None:
        self._track = track
        self._reader = reader
        self._coding = coding
        self._window = window
        self._copy = copy
        self._in_band = in_band or coding.codec == "hevc"
        self._edge_sets: list[bytes] = []
        self.unit = Fraction(1, track.rate.numerator) if track.rate else Fraction(1, 90_000)
        self.counts = Counts()

    def config(self) -> bytes | None:
        """The configuration of the output's decoder, with the edges' parameter sets; None to keep the input's."""
        if self._coding.codec not in _NAL_CODECS:
            return None
        sets = sets_of(self._coding.config, self._coding.codec)
        if self._coding.codec == "h264" and not self._copy:
            self._edge_sets = EdgeEncoder(self._coding, self._track.rate).sets
        return joined([*sets, *self._edge_sets])

    def packets(self) -> Iterator[OutPacket]:
        """All packets in decoding order. Raises MediaError."""
        yield from _with_decoding_times(self._frames(), self._window[0], self.unit)

    def _frames(self) -> Iterator[StoredFrame]:
        found = runs([*self._track.before, *self._track.segments])
        for run in found:
            start, end = max(self._window[0], run[0].start), min(self._window[1], run[-1].end)
            if start >= end:
                continue
            coding = self._coding if run is found[0] else self._reader.coding(run[0])
            for exact in self._cut(run, coding, start, end):
                self.counts.frames += 1
                self.counts.encoded += exact.encoded
                self.counts.end = max(self.counts.end, exact.frame.end)
                yield self._written(exact, coding)

    def _cut(self, run: list[StoredSegment], coding: Coding, start: int, end: int) -> Iterator[ExactFrame]:
        frames = self._reader.frames(run)
        if self._copy:
            return whole_groups(frames, coding, start, end)
        if coding.shape != self._coding.shape:
            raise MediaError(
                f"pictures change from {self._coding.shape} to {coding.shape} in {run[0].timerange}: export one part"
            )
        differs = self._differs(coding)
        if differs:
            self.counts.reencoded_runs.append(str(run[0].timerange))
        return ExactCut(coding, start, end, self._encoder, encode_all=differs).cut(frames)

    def _differs(self, coding: Coding) -> bool:
        """Whether frames of a run cannot stand beside those of the first one, which have other parameter sets."""
        codec = self._coding.codec
        if coding.codec != codec:
            return True
        return codec in _NAL_CODECS and sets_of(coding.config, codec) != sets_of(self._coding.config, codec)

    def _encoder(self) -> EdgeEncoder:
        if not can_encode(self._coding.codec):
            raise MediaError(
                f"{self._coding.codec} cannot be cut between key frames here: --copy cuts at the key frames around"
            )
        return EdgeEncoder(self._coding, self._track.rate)

    def _written(self, exact: ExactFrame, coding: Coding) -> StoredFrame:
        frame, codec = exact.frame, self._coding.codec
        if codec not in _NAL_CODECS:
            return frame
        data = frame.data if exact.encoded else byte_stream(frame.data, coding.config)
        if frame.key and self._in_band:
            sets = self._edge_sets if exact.encoded else sets_of(coding.config, codec)
            data = joined(sets) + data
        return StoredFrame(data, frame.start, frame.end, frame.key)


class AudioTrack:
    """The packets of sound in the window [start, end), in ns.

    primed: whether the container can hide what precedes the start, so that the sound begins exactly; otherwise it is
    cut at the coded frame nearest to it. Of Opus any container hides the pre-skip. PCM is cut at the sample.
    """

    def __init__(
        self, track: Track, reader: FrameReader, coding: Coding, window: tuple[int, int], *, primed: bool
    ) -> None:
        self._track = track
        self._reader = reader
        self._window = window
        self._primed = primed
        self._pre_skip = 0 if primed else _pre_skip(coding)
        # A decoder of Vorbis returns nothing for the first packet.
        self._after_one = coding.codec == "vorbis"
        self._sample_bytes = _pcm_bytes(coding)
        self.unit = Fraction(1, coding.shape[0])
        self.counts = Counts()

    def packets(self) -> Iterator[OutPacket]:
        """All packets in order. Raises MediaError."""
        base = self._window[0]
        last: int | None = None
        previous: int | None = None
        for index, run in enumerate(runs([*self._track.before, *self._track.segments])):
            start, end = max(base, run[0].start), min(self._window[1], run[-1].end)
            if index == 0:
                start = base
            primed, before = self._primed and index == 0, last
            for frame in self._chosen(self._reader.frames(run), start, end, primed=primed, first=index == 0):
                pts = _ticks(frame.start - base, self.unit)
                # Within a run the length of a frame may be wrong: MP4 makes the first one of Opus too long.
                if (before is not None and pts < before) or (previous is not None and pts <= previous):
                    continue
                previous, last = pts, _ticks(frame.end - base, self.unit)
                self.counts.frames += 1
                self.counts.end = max(self.counts.end, frame.end)
                yield OutPacket(frame.data, pts, pts, last - pts, True, self.unit)

    def _chosen(
        self, frames: Iterator[StoredFrame], start: int, end: int, *, primed: bool, first: bool
    ) -> Iterator[StoredFrame]:
        held: StoredFrame | None = None
        for frame in frames:
            if self._sample_bytes:
                if frame.start < end and frame.end > start:
                    yield self._samples(frame, start, end)
                continue
            if frame.start >= end or (not primed and (frame.start + frame.end) // 2 >= end):
                return
            if frame.end <= start:
                held = frame
            elif primed:
                if held is not None:
                    yield held
                    held = None
                yield StoredFrame(frame.data, frame.start, min(frame.end, end), True)
            elif (frame.start + self._pre_skip if first else (frame.start + frame.end) // 2) >= start:
                if held is not None and self._after_one:
                    yield held
                held = None
                yield frame
            else:
                held = frame

    def _samples(self, frame: StoredFrame, start: int, end: int) -> StoredFrame:
        first = _first_at(max(start - frame.start, 0), self.unit)
        last = _first_at(min(end, frame.end) - frame.start, self.unit)
        size = self._sample_bytes
        at = frame.start + round(first * self.unit * NS)
        return StoredFrame(frame.data[first * size : last * size], at, frame.start + round(last * self.unit * NS), True)


def _first_at(offset: int, unit: Fraction) -> int:
    """The index of the first sample that begins at or after an offset in ns, which may be rounded itself."""
    exact = Fraction(offset, NS) / unit
    nearest = round(exact)
    return nearest if abs(nearest - exact) * unit * NS <= 1 else -(-exact.numerator // exact.denominator)


def _pre_skip(coding: Coding) -> int:
    """Nanoseconds of sound that a decoder of Opus leaves out at the beginning of a file (RFC 7845, 4.2)."""
    if coding.codec != "opus" or len(coding.config) < _OPUS_HEAD:
        return 0
    return in_ns(int.from_bytes(coding.config[10:12], "little"), Fraction(1, 48_000))


def _pcm_bytes(coding: Coding) -> int:
    """Bytes of one sample of all channels of PCM; 0 for other codecs."""
    if not coding.codec.startswith("pcm_"):
        return 0
    bits = int("".join(each for each in coding.codec if each.isdigit()) or 8)
    return bits // 8 * coding.shape[1]


def _ticks(ns: int, unit: Fraction) -> int:
    return round(ns / (unit * NS))


def _with_decoding_times(frames: Iterable[StoredFrame], base: int, unit: Fraction) -> Iterator[OutPacket]:
    """Number frames in decoding order: the n-th is decoded when the n-th is shown, less the depth of reordering."""
    coming = iter(frames)
    ahead = list(islice(coming, _LOOK_AHEAD))
    if not ahead:
        return
    ordered = sorted(frame.start for frame in ahead)
    depth = max(place - ordered.index(frame.start) for place, frame in enumerate(ahead))
    length = max(_ticks(ahead[0].end - ahead[0].start, unit), 1)
    shown = [_ticks(frame.start - base, unit) for frame in ahead]
    times = [min(shown) - length * (depth - place) for place in range(depth)]
    heapq.heapify(shown)
    previous: int | None = None
    waiting = deque(ahead)
    while waiting:
        frame = waiting.popleft()
        pts = _ticks(frame.start - base, unit)
        dts = times.pop(0) if times else heapq.heappop(shown)
        dts = min(dts if previous is None else max(dts, previous + 1), pts)
        previous = dts
        yield OutPacket(frame.data, pts, dts, max(_ticks(frame.end - frame.start, unit), 1), frame.key, unit)
        following = next(coming, None)
        if following is not None:
            waiting.append(following)
            heapq.heappush(shown, _ticks(following.start - base, unit))
