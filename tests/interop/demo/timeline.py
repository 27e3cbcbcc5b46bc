"""Times on a flow's timeline: integer nanoseconds, half-open spans, and their TAMS text."""

import re
from dataclasses import dataclass
from fractions import Fraction

SECOND = 1_000_000_000

_SPAN_TEXT = re.compile(r"\[(-?\d+:\d+)_(-?\d+:\d+)\)")


class TimeFormatError(ValueError):
    """A text that is not a timestamp or timerange, or not of the supported form."""


@dataclass(frozen=True)
class Span:
    """The half-open timerange `[start_end)`, in nanoseconds. Empty if end is not after start."""

    start: int
    end: int

    def __str__(self) -> str:
        return f"[{timestamp(self.start)}_{timestamp(self.end)})"

    def __contains__(self, instant: int) -> bool:
        return self.start <= instant < self.end

    def shifted(self, offset: int) -> "Span":
        """The span shifted by `offset` nanoseconds."""
        return Span(self.start + offset, self.end + offset)

    def overlap(self, other: "Span") -> "Span":
        """The intersection with another span."""
        return Span(max(self.start, other.start), min(self.end, other.end))

    def overlaps(self, other: "Span") -> bool:
        """Whether the two spans share at least one instant."""
        return self.start < other.end and other.start < self.end


def timestamp(ns: int) -> str:
    """The TAMS text of a time in nanoseconds. The sign applies to the whole value (-1.4 s is `-1:400000000`)."""
    seconds, rest = divmod(abs(ns), SECOND)
    return f"{'-' if ns < 0 else ''}{seconds}:{rest}"


def parse_timestamp(text: str) -> int:
    """The nanoseconds of a TAMS timestamp. Raises TimeFormatError."""
    if not re.fullmatch(r"-?\d+:\d{1,9}", text):
        raise TimeFormatError(f"{text!r} is not a timestamp of the form seconds:nanoseconds")
    seconds, _, rest = text.lstrip("-").partition(":")
    ns = int(seconds) * SECOND + int(rest)
    return -ns if text.startswith("-") else ns


def parse_span(text: str) -> Span:
    """The span of a finite TAMS timerange `[start_end)`. Raises TimeFormatError for any other form."""
    found = _SPAN_TEXT.fullmatch(text)
    if not found:
        raise TimeFormatError(f"{text!r} is not a timerange of the form [start_end)")
    return Span(parse_timestamp(found[1]), parse_timestamp(found[2]))


def in_ns(ticks: int, unit: Fraction) -> int:
    """Convert ticks of `unit` seconds to nanoseconds, rounded to the nearest.

    A coded AAC frame lasts 21 1/3 ms, so rounding is unavoidable. Rounding all boundaries by this rule keeps the end
    of each segment equal to the start of the next.
    """
    return round(ticks * unit * SECOND)


def first_sample(instant: int, rate: int) -> int:
    """The index of the first sample, at `rate` samples per second, at or after the instant (ns)."""
    index = instant * rate // SECOND - 1
    while in_ns(index, Fraction(1, rate)) < instant:
        index += 1
    return index
