"""Timestamps and timeranges: half-open intervals of integer nanoseconds, and their text.

A bound of None is infinite. Text with an exclusive start or an inclusive end moves that bound by one nanosecond
(TR-03), so that two ranges overlap exactly when `a.start < b.end and b.start < a.end`.
"""

import re
from dataclasses import dataclass, field

from storage.errors import Invalid

NS = 1_000_000_000
EARLIEST = -(2**63)
LATEST = 2**63 - 1
"""The bounds of what the tables can hold, in nanoseconds."""

_TIMESTAMP = r"-?(?:0|[1-9][0-9]*):(?:0|[1-9][0-9]{0,8})"
_TIMESTAMP_TEXT = re.compile(_TIMESTAMP)
_INSTANT_TEXT = re.compile(rf"([\[(]?)({_TIMESTAMP})([\])]?)")
_RANGE_TEXT = re.compile(rf"([\[(]?)({_TIMESTAMP})?_({_TIMESTAMP})?([\])]?)")
_MANY_DIGITS = 4000
"""Python converts no number with many more digits than this, and no clock needs a fraction of them."""


def parse_timestamp(text: str, field: str = "timestamp") -> int:
    """Nanoseconds of "{sign}{seconds}:{nanoseconds}" (timestamp.json, TR-01, TR-02). Raises Invalid."""
    if not _TIMESTAMP_TEXT.fullmatch(text):
        raise Invalid(
            f"{field} {text[:80]!r} is not a timestamp: seconds, a colon and nanoseconds without leading zeros",
            field=field,
            behaviour="TR-01",
        )
    return _nanoseconds(text, field)


def parse_storable_timestamp(text: str, field: str) -> int:
    """As parse_timestamp, and refuses what a signed 64-bit count of nanoseconds cannot hold."""
    return _storable(parse_timestamp(text, field), text, field)


def _nanoseconds(text: str, field: str) -> int:
    sign = -1 if text.startswith("-") else 1
    seconds, _, rest = text.lstrip("-").partition(":")
    if len(seconds) > _MANY_DIGITS:
        raise Invalid(f"{field} {text[:20]}... has more than {_MANY_DIGITS} digits", field=field)
    return sign * (int(seconds) * NS + int(rest))


def _storable(value: int, text: str, field: str) -> int:
    if not EARLIEST < value < LATEST:
        raise Invalid(
            f"{field} {text[:80]!r} lies outside the range of a signed 64-bit count of nanoseconds", field=field
        )
    return value


def format_timestamp(ns: int) -> str:
    """The text of `ns` nanoseconds."""
    seconds, rest = divmod(abs(ns), NS)
    return f"{'-' if ns < 0 else ''}{seconds}:{rest}"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start`, included, to `end`, excluded, in ns; None is infinite. An empty range equals EMPTY.

    closed: the end was written as included, and is so again in the text. It does not count in comparisons.
    """

    start: int | None
    end: int | None
    closed: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if self.start is not None and self.end is not None and self.start >= self.end:
            for name, value in (("start", 0), ("end", 0), ("closed", False)):
                object.__setattr__(self, name, value)

    @property
    def is_empty(self) -> bool:
        return self.start is not None and self.start == self.end

    @property
    def bounds(self) -> tuple[int, int]:
        """start and end, cut to what the tables hold."""
        start = EARLIEST if self.start is None else min(max(self.start, EARLIEST), LATEST)
        end = LATEST if self.end is None else min(max(self.end, EARLIEST), LATEST)
        return start, end

    def covers(self, other: "TimeRange") -> bool:
        """Whether `other` lies wholly inside. An empty range covers nothing and lies in nothing (TR-05)."""
        if self.is_empty or other.is_empty:
            return False
        starts = self.start is None or (other.start is not None and self.start <= other.start)
        ends = self.end is None or (other.end is not None and other.end <= self.end)
        return starts and ends

    def shifted(self, offset: int) -> "TimeRange":
        """The range `offset` ns later."""
        return TimeRange(
            None if self.start is None else self.start + offset,
            None if self.end is None else self.end + offset,
            self.closed,
        )

    def intersection(self, other: "TimeRange") -> "TimeRange":
        """What both cover; EMPTY where that is nothing."""
        starts = [bound for bound in (self.start, other.start) if bound is not None]
        start = max(starts) if starts else None
        ends_here = other.end is None or (self.end is not None and self.end <= other.end)
        end, closed = (self.end, self.closed) if ends_here else (other.end, other.closed)
        return TimeRange(start, end, closed)

    def __str__(self) -> str:
        """The normal form (TR-17): `_`, `()`, `[a]`, or `[a_b)` with `]` where the end was written as included."""
        if self.is_empty:
            return "()"
        if self.closed and self.start is not None and self.end == self.start + 1:
            return f"[{format_timestamp(self.start)}]"
        start = "" if self.start is None else f"[{format_timestamp(self.start)}"
        if self.end is None:
            return f"{start}_"
        last = f"{format_timestamp(self.end - 1)}]" if self.closed else f"{format_timestamp(self.end)})"
        return f"{start}_{last}"


EMPTY = TimeRange(0, 0)
ETERNITY = TimeRange(None, None)


def parse_timerange(text: str, field: str = "timerange") -> TimeRange:
    """The range that `text` stands for (timerange.json, TR-03 to TR-16, A04, A05).

    A bound with no mark beside it is included. A range that ends before it starts is empty. A single timestamp has
    two marks or none. Raises Invalid for all else, the empty text among it.
    """
    if text == "()":
        return EMPTY
    instant = _INSTANT_TEXT.fullmatch(text)
    if instant:
        opening, at, closing = instant.groups()
        if bool(opening) != bool(closing):
            raise _not_a_timerange(text, field)
        ns = _nanoseconds(at, field)
        return EMPTY if "(" in opening or ")" in closing else TimeRange(ns, ns + 1, True)
    both = _RANGE_TEXT.fullmatch(text)
    if not both:
        raise _not_a_timerange(text, field)
    opening, first, last, closing = both.groups()
    start = end = None
    closed = False
    if first is not None:
        start = _nanoseconds(first, field) + (opening == "(")
    if last is not None:
        closed = closing != ")"
        end = _nanoseconds(last, field) + closed
    return TimeRange(start, end, closed)


def _not_a_timerange(text: str, field: str) -> Invalid:
    return Invalid(
        f"{field} {text[:80]!r} is not a timerange such as [0:0_10:0), [5:0], _ or ()", field=field, behaviour="TR-16"
    )


def parse_bounded(text: str, field: str = "timerange") -> TimeRange:
    """A range that has content and ends, as segments and objects have (SEG-POST-16, SEG-POST-17, A38).

    Raises Invalid where it is empty, reversed, open at an end, starts with "(", or does not fit the tables.
    """
    if text.startswith("("):
        raise Invalid(
            f"{field} {text[:80]!r} must start with an included timestamp: '[', not '('",
            field=field,
            behaviour="SEG-POST-16",
        )
    parsed = parse_timerange(text, field)
    if parsed.is_empty:
        raise Invalid(
            f"{field} {text[:80]!r} is empty: its end must come after its start", field=field, behaviour="SEG-POST-17"
        )
    if parsed.start is None or parsed.end is None:
        raise Invalid(f"{field} {text[:80]!r} must have a start and an end", field=field, behaviour="SEG-POST-17")
    _storable(parsed.start, text, field)
    _storable(parsed.end, text, field)
    return parsed
