"""Cut frames into segments: at key frames of the pictures, or at coded frames of sound.

One segmenter cuts the frames of one flow. With several streams (a muxed flow) the first, which is of video if there is
one, says where the cuts are, and the others follow by time.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from tams_server.client_media.coded_frame import CodedFrame
from tams_server.client_media.errors import MediaError

_WAIT_S: Final = 5
"""How long a segment waits for a stream that sends nothing, in seconds of media."""
_MOST_HELD: Final = 512 * 1024 * 1024
"""Bytes of frames that wait for the next cut."""
_NO_KEY_S: Final = 60
"""How long pictures may begin without a key frame, in seconds of media."""


@dataclass(slots=True)
class Cut:
    """The frames of one segment, in decoding order of each stream, and the time that it fills, in seconds."""

    frames: list[CodedFrame] = field(default_factory=list)
    start: Fraction | None = None
    end: Fraction | None = None
    key_frames: int = 0

    @property
    def size(self) -> int:
        """In bytes, without what the container adds."""
        return sum(frame.size for frame in self.frames)

    @property
    def file_span(self) -> tuple[Fraction, Fraction]:
        """From the first to the end of the last frame, those included that are only there for the decoder."""
        return min(frame.start for frame in self.frames), max(frame.end for frame in self.frames)


class Segmenter:
    """Cuts the frames of one flow. Feed it with `add`, and `finish` it; both return complete segments in order.

    primary: index of the stream that says where to cut. others: of streams that follow. target: the length aimed at,
    in seconds. at_key: whether to cut at key frames only, which pictures need.
    """

    def __init__(self, primary: int, others: set[int], target: Fraction, *, at_key: bool) -> None:
        self._primary = primary
        self._others = others
        self._target = target
        self._at_key = at_key
        self._open: deque[_Open] = deque()
        self._seen: dict[int, Fraction] = {}
        self._end: Fraction | None = None
        self._next_cut: Fraction | None = None
        self._undecodable: Fraction | None = None
        self._held = 0

    def add(self, frame: CodedFrame) -> Iterator[Cut]:
        """Take the next frame of any of the streams. Raises: MediaError if the pictures have too few key frames."""
        if frame.stream == self._primary:
            self._add_primary(frame)
        elif frame.stream in self._others:
            self._seen[frame.stream] = frame.start
            self._place(frame)
        yield from self._complete()

    def finish(self) -> Iterator[Cut]:
        """The rest, after the last frame."""
        while self._open:
            yield self._close(self._open.popleft(), None)

    def _add_primary(self, frame: CodedFrame) -> None:
        if self._next_cut is None:
            if self._at_key and not frame.key:
                self._wait_for_key(frame)  # a stream that was joined in the middle
                return
            if not self._open:
                self._open.append(_Open(frame.start))
            self._open[0].key = self._open[0].first = frame.start
            self._next_cut = frame.start + self._target
        elif self._cuts(frame):
            self._open.append(_Open(frame.start))
            assert self._next_cut is not None
            # The grid stays, so that rounding to frames does not add up; after a gap or a long group it is met again.
            while self._next_cut <= frame.start + self._target / 2:
                self._next_cut += self._target
        current = self._open[-1]
        current.start_known = current.start_known or frame.start > current.key or not self._at_key
        self._hold(current, frame)
        current.first = min(current.first, frame.start)

    def _wait_for_key(self, frame: CodedFrame) -> None:
        """Leave out a frame before the first key frame, which cannot be decoded."""
        if self._undecodable is None:
            self._undecodable = frame.start
        if frame.start > self._undecodable + _NO_KEY_S:
            raise MediaError(f"the pictures have no key frame within {_NO_KEY_S} s: they cannot be cut into segments")

    def _hold(self, segment: "_Open", frame: CodedFrame) -> None:
        segment.cut.frames.append(frame)
        self._held += frame.size
        if self._held > _MOST_HELD:
            raise MediaError(
                f"the pictures have no key frame in {_MOST_HELD >> 20} MiB after {float(self._open[0].key):.3f} s: they"
                " cannot be cut into segments"
            )

    def _cuts(self, frame: CodedFrame) -> bool:
        assert self._next_cut is not None
        if self._at_key:
            return frame.key and frame.start >= self._next_cut - self._target / 8
        middle = (frame.start + frame.end) / 2
        return middle >= self._next_cut

    def _place(self, frame: CodedFrame) -> None:
        if not self._open:
            self._open.append(_Open(frame.start))
        for each in reversed(self._open):
            if frame.start >= each.key or each is self._open[0]:
                self._hold(each, frame)
                return

    def _complete(self) -> Iterator[Cut]:
        while len(self._open) > 1:
            following = self._open[1]
            if not following.start_known:
                return
            newest = self._open[-1].cut.frames[-1].start
            late = [index for index in self._others if self._seen.get(index, following.key - 1) < following.key]
            if late and newest < following.key + _WAIT_S:
                return
            yield self._close(self._open.popleft(), following)

    def _close(self, closed: "_Open", following: "_Open | None") -> Cut:
        cut = closed.cut
        self._held -= cut.size
        primary = [frame for frame in cut.frames if frame.stream == self._primary]
        shown = [frame.shown for frame in primary if frame.shown] or [
            frame.shown for frame in cut.frames if frame.shown
        ]
        cut.key_frames = sum(frame.key for frame in primary) if self._at_key else 0
        if not shown:
            return cut
        starts, ends = [each[0] for each in shown], [each[1] for each in shown]
        if following is None or self._end is None:
            others = [frame.shown for frame in cut.frames if frame.shown]
            starts += [each[0] for each in others] if self._end is None else []
            ends += [each[1] for each in others] if following is None else []
        start, end = min(starts), max(ends)
        frame_length = primary[-1].end - primary[-1].start if primary else Fraction(0)
        if self._end is not None and (start < self._end or start - self._end < frame_length / 2):
            start = self._end
        if following is not None and (end > following.first or following.first - end < frame_length / 2):
            end = following.first
        cut.start, cut.end = start, end
        self._end = end
        return cut


@dataclass(slots=True)
class _Open:
    """A segment that still grows. key: time of its first frame in decoding order. first: its earliest so far."""

    key: Fraction
    cut: Cut = field(default_factory=Cut)
    first: Fraction = field(init=False)
    start_known: bool = False

    def __post_init__(self) -> None:
        self.first = self.key
