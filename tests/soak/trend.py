"""Whether a series of measurements is flat: a fitted slope and a stated limit, not an impression."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, NamedTuple

WARM_UP = 1 / 3
"""The part of a run that does not count, for caches with a bound fill up until then: compiled schemas and statements,
connections, pages that are copied on write. Objects without segments begin to expire after five minutes."""
WARM_UP_RESPONSES = 40_000
"""Nor do the responses until this one count, of two serving processes. What fills up last are the statements that each
connection to SQLite keeps, of 4 KiB each: there are about 175 different ones, and the connections that only peaks need
have run them all after some 20,000 responses of their process, when SQLite uses 4.7 MiB (3.9 MiB after 15,000)."""
LONGEST_WARM_UP = 1 / 2
"""The part of a run that does not count if there are fewer responses: then a warm-up may be reported as growth, but
never growth as a warm-up, as the rest of the run is judged in any case."""
_GROUPS = 40
"""Number of groups of successive measurements. The least of each counts, which is what is in use between peaks."""


class Measurement(NamedTuple):
    """at_s: seconds since the start of the run. responses: how many all clients together had received by then."""

    at_s: float
    responses: int
    value: float


@dataclass(frozen=True, slots=True)
class Limit:
    """most: by how much something may grow in a minute, or with 1,000 responses; what grows with requests, grows slowly
    on a slow machine. unit: of the measurements, with its size in `scale`.
    """

    most: float
    per: Literal["minute", "1,000 responses"] = "minute"
    unit: str = ""
    scale: float = 1.0

    def shown(self, value: float) -> str:
        return f"{value / self.scale:,.2f} {self.unit}".rstrip()

    def position(self, measured: Measurement) -> float:
        """Where a measurement is on the axis of this limit."""
        return measured.at_s / 60 if self.per == "minute" else measured.responses / 1000


@dataclass(frozen=True, slots=True)
class Trend:
    """How something that was measured changed after the warm-up. first, last: the fitted line at its ends.

    length: minutes, or thousands of responses, between them.
    """

    name: str
    limit: Limit
    first: float
    last: float
    length: float

    @property
    def slope(self) -> float:
        return (self.last - self.first) / self.length

    @property
    def is_flat(self) -> bool:
        return self.slope <= self.limit.most

    def __str__(self) -> str:
        shown, per = self.limit.shown, self.limit.per
        axis = "min" if per == "minute" else "thousand responses"
        return (
            f"{self.name}: {shown(self.first)} to {shown(self.last)} in {self.length:.1f} {axis},"
            f" {shown(self.slope)} per {per}, at most {shown(self.limit.most)}:"
            f" {'flat' if self.is_flat else 'GROWS'}"
        )


def fit(name: str, measured: Sequence[Measurement], limit: Limit) -> Trend:
    """Fit a line to what was measured after the warm-up, whose slope is the median of the slopes between all pairs.

    measured: in order of time. Raises ValueError if they are too few, or on one place of the axis.
    """
    if len(measured) < 4:
        raise ValueError(f"{name}: {len(measured)} measurements are too few")
    start = _end_of_warm_up(measured)
    least = _least([each for each in measured if each.at_s >= start])
    points = [(limit.position(each), each.value) for each in least]
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x2 > x1]
    if not slopes:
        raise ValueError(f"{name}: there were no responses between the measurements")
    slope = statistics.median(slopes)
    offset = statistics.median(y - slope * x for x, y in points)
    begin, end = points[0][0], points[-1][0]
    return Trend(name, limit, offset + slope * begin, offset + slope * end, end - begin)


def _end_of_warm_up(measured: Sequence[Measurement]) -> float:
    """The seconds since the start of the run from which on measurements count."""
    begin, length = measured[0].at_s, measured[-1].at_s - measured[0].at_s
    served = (each.at_s for each in measured if each.responses >= WARM_UP_RESPONSES)
    latest = begin + LONGEST_WARM_UP * length
    return max(begin + WARM_UP * length, min(next(served, latest), latest))


def _least(measured: Sequence[Measurement]) -> list[Measurement]:
    """The least of each group of successive measurements."""
    size = max(1, len(measured) // _GROUPS)
    return [min(measured[at : at + size], key=lambda each: each.value) for at in range(0, len(measured), size)]
