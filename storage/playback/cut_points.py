"""Where an object can be cut between two bytes so that each part has exactly the pictures, or sound, of a timerange."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from storage.playback.media_segment import JITTER_NS


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
class CutPoint:
    """A time before which all lies before the byte `at`, and after which all lies behind it.

    time: in ns. begin: as of a Unit.
    """

    time: int
    at: int
    begin: int | None


def cut_points(units: Sequence[Unit]) -> list[CutPoint]:
    """Where an object can be cut, in order. units: all of the object."""
    latest = [None, *accumulate((each.last for each in units), max)]
    earliest = list(accumulate((each.first for each in reversed(units)), min))[::-1]
    found = []
    for unit, before, first in zip(units, latest, earliest, strict=False):
        if before is None or before < first:
            # What can only be shown after something earlier, such as pictures before their key frame, begins nothing.
            begin = unit.begin if unit.first == first else None
            found.append(CutPoint(first, unit.at, begin))
    return found


def byte_range(points: Sequence[CutPoint], start: int | None, end: int | None, size: int) -> tuple[int, int] | None:
    """The bytes of a timerange, as the first and the one after the last; None if there is no exact cut.

    points: of the object, in order. start, end: in ns; None for where the object begins or ends. size: in bytes.
    """
    first = points[0] if start is None and points else _at(points, start)
    last = None if end is None else _at(points, end)
    if first is None or first.begin is None or (end is not None and last is None):
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
