"""Where an object can be cut between two bytes so that each part has exactly the pictures, or sound, of a timerange."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from storage.playback.media_segment import JITTER_NS

MOST_UNITS: Final = 20_000
"""In one object. Longer ones are not cut."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A picture or a frame of sound in a file, or a fragment of several, in the order of the file.

    at: its first byte. begin: the byte from which a player can begin with it; None if it cannot.
    first, last: the earliest and the latest presentation time in it, in ns.
    """

    at: int
    begin: int | None
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Packet:
    """Frames of another stream in the file. at, last: where their first and their last piece lie. time: of the first
    frame, in ns."""

    at: int
    last: int
    time: int


class Companion:
    """Another stream in the file, such as the sound of pictures, which is cut with them.

    packets: in the order of the file, one at least. frame: the duration of a frame, in ns.
    """

    def __init__(self, packets: Sequence[Packet], frame: int) -> None:
        self._places = [each.at for each in packets]
        self._last = [each.last for each in packets]
        times = sorted({each.time for each in packets})
        ends = dict(pairwise((*times, times[-1] + frame)))
        self._times = [each.time for each in packets]
        self._ends = list(accumulate((ends[time] for time in self._times), max))
        self._starts = list(accumulate(reversed(self._times), min))[::-1]
        self._tolerance = frame + JITTER_NS

    def is_cut(self, at: int, time: int, *, ends: bool) -> bool:
        """Whether all before a byte is before a time, and all from it on is after that, to one frame.

        ends: whether a part ends there, which then has the beginning of a packet that goes on.
        """
        index = bisect_left(self._places, at)
        latest, earliest = time + self._tolerance, time - self._tolerance
        if index and self._ends[index - 1] > latest:
            return False
        if index < len(self._starts) and self._starts[index] < earliest:
            return False
        return not ends or not index or self._last[index - 1] < at or self._times[index - 1] >= earliest


@dataclass(frozen=True, slots=True)
class CutPoint:
    """A time before which all lies before the byte `at`, and after which all lies behind it.

    time: in ns. begin: as of a Unit. is_start, is_end: whether the other streams are cut there too, when a part begins
    with the byte `begin`, or ends before the byte `at`.
    """

    time: int
    at: int
    begin: int | None
    is_start: bool
    is_end: bool


def cut_points(units: Sequence[Unit], companions: Sequence[Companion] = ()) -> list[CutPoint]:
    """Where an object can be cut, in order. units: all of the object. companions: the other streams in it."""
    latest = [None, *accumulate((each.last for each in units), max)]
    earliest = list(accumulate((each.first for each in reversed(units)), min))[::-1]
    found = []
    for unit, before, first in zip(units, latest, earliest, strict=False):
        if before is None or before < first:
            # What can only be shown after something earlier, such as pictures before their key frame, begins nothing.
            begin = unit.begin if unit.first == first else None
            is_start = begin is not None and all(each.is_cut(begin, first, ends=False) for each in companions)
            is_end = all(each.is_cut(unit.at, first, ends=True) for each in companions)
            found.append(CutPoint(first, unit.at, begin, is_start, is_end))
    return found


def byte_range(points: Sequence[CutPoint], start: int | None, end: int | None, size: int) -> tuple[int, int] | None:
    """The bytes of a timerange, as the first and the one after the last; None if there is no exact cut.

    points: of the object, in order. start, end: in ns; None for where the object begins or ends. size: in bytes.
    """
    first = points[0] if start is None and points else _at(points, start)
    last = None if end is None else _at(points, end)
    if first is None or first.begin is None or (start is not None and not first.is_start):
        return None
    if end is not None and (last is None or not last.is_end):
        return None
    begin, stop = (0 if start is None else first.begin), (size if last is None else last.at)
    return (begin, stop) if first.at < stop else None


def _at(points: Sequence[CutPoint], time: int | None) -> CutPoint | None:
    """The point at a time, or nearest to it within the rounding of times."""
    if time is None:
        return None
    index = bisect_left(points, time, key=lambda each: each.time)
    near = [each for each in points[max(index - 1, 0) : index + 1] if abs(each.time - time) < JITTER_NS]
    return min(near, key=lambda each: abs(each.time - time), default=None)
