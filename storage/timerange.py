"""Timestamps and timeranges: half-open intervals of integer nanoseconds, and their text form.

A bound of None is infinite. An exclusive start or an inclusive end in the text moves that bound by one nanosecond
(TR-03), so that two ranges overlap exactly if `a.start < b.end and b.start < a.end`.
"""

import re
from dataclasses import dataclass, field

from storage import error_codes
from storage.errors import Invalid

NS = 1_000_000_000
EARLIEST = -(2**63)
LATEST = 2**63 - 1
"""The smallest and largest int64, in nanoseconds: the limits of what the tables can hold."""

_TIMESTAMP = r"-?(?:0|[1-9][0-9]*):(?:0|[1-9][0-9]{0,8})"
_TIMESTAMP_TEXT = re.compile(_TIMESTAMP)
_INSTANT_TEXT = re.compile(rf"([\[(]?)({_TIMESTAMP})([\])]?)")
_RANGE_TEXT = re.compile(rf"([\[(]?)({_TIMESTAMP})?_({_TIMESTAMP})?([\])]?)")
_NO_TIMESTAMP_TEXT = re.compile(r"[\[(]?[\])]?")
_MAX_DIGITS = 4000
"""Python refuses to convert numbers that are not much longer, and no clock needs as many digits."""


def parse_timestamp(text: str, field: str = "timestamp") -> int:
    """The nanoseconds of "{sign}{seconds}:{nanoseconds}" (timestamp.json, TR-01, TR-02). Raises Invalid.

    field: name of the member, for the error.
    """
    if not _TIMESTAMP_TEXT.fullmatch(text):
        raise Invalid(
            f"{field} must be seconds, a colon and nanoseconds, without leading zeros, such as 5:0, not {text[:80]!r}",
            code=error_codes.TIMESTAMP,
            field=field,
            behaviour="TR-01",
        )
    return _nanoseconds(text, field)


def parse_storable_timestamp(text: str, field: str) -> int:
    """As parse_timestamp, and raises Invalid for what an int64 of nanoseconds cannot hold."""
    return _storable(parse_timestamp(text, field), text, field)


def _nanoseconds(text: str, field: str) -> int:
    seconds, _, rest = text.partition(":")
    if len(seconds) > _MAX_DIGITS and len(seconds.lstrip("-")) > _MAX_DIGITS:
        raise Invalid(
            f"{field} must have at most {_MAX_DIGITS} digits, not those of {text[:20]}...",
            code=error_codes.TIMESTAMP,
            field=field,
        )
    whole = int(seconds) * NS
    return whole - int(rest) if seconds[0] == "-" else whole + int(rest)


def _storable(value: int, text: str, field: str) -> int:
    if not EARLIEST < value < LATEST:
        raise Invalid(
            f"{field} must fit a signed 64-bit number of nanoseconds, which {text[:80]!r} does not",
            code=error_codes.TIMESTAMP,
            field=field,
        )
    return value


def format_timestamp(ns: int) -> str:
    """The text form of `ns` nanoseconds."""
    return f"{ns // NS}:{ns % NS}" if ns >= 0 else f"-{-ns // NS}:{-ns % NS}"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start` (inclusive) to `end` (exclusive), in ns; None is infinite. Every empty range equals EMPTY.

    closed: the text has an inclusive end, which str() then writes again. Comparisons ignore it.
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
        """start and end, clamped to what the tables can hold."""
        start, end = self.start, self.end
        if start is not None and end is not None and start >= EARLIEST and end <= LATEST:
            return start, end
        return _clamped(self.start, EARLIEST), _clamped(self.end, LATEST)

    def covers(self, other: "TimeRange") -> bool:
        """Whether `other` lies entirely inside. An empty range covers nothing and is covered by nothing (TR-05)."""
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
        """The range that both cover; EMPTY if there is none."""
        starts = [bound for bound in (self.start, other.start) if bound is not None]
        start = max(starts) if starts else None
        ends_here = other.end is None or (self.end is not None and self.end <= other.end)
        end, closed = (self.end, self.closed) if ends_here else (other.end, other.closed)
        return TimeRange(start, end, closed)

    def __str__(self) -> str:
        """The normal form (TR-17): `_`, `()`, `[a]`, or `[a_b)`, or `[a_b]` if `closed`."""
        if self.is_empty:
            return "()"
        if self.closed and self.start is not None and self.end == self.start + 1:
            return f"[{format_timestamp(self.start)}]"
        start = "" if self.start is None else f"[{format_timestamp(self.start)}"
        if self.end is None:
            return f"{start}_"
        last = f"{format_timestamp(self.end - 1)}]" if self.closed else f"{format_timestamp(self.end)})"
        return f"{start}_{last}"


def _clamped(bound: int | None, infinite: int) -> int:
    if bound is None:
        return infinite
    return bound if EARLIEST <= bound <= LATEST else min(max(bound, EARLIEST), LATEST)


EMPTY = TimeRange(0, 0)
ETERNITY = TimeRange(None, None)


def parse_timerange(text: str, field: str = "timerange") -> TimeRange:
    """The timerange with this text form (timerange.json, TR-03 to TR-16, A04, A05).

    A bound without a bracket is inclusive. A range that ends before it starts is empty. A single timestamp has two
    brackets or none. Raises Invalid for anything else, including the empty text.

    field: name of the member, for the error.
    """
    if text == "()":
        return EMPTY
    instant = None if "_" in text else _INSTANT_TEXT.fullmatch(text)
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


def parse_timerange_filter(text: str, field: str = "timerange") -> TimeRange:
    """The timerange of a query that only reads (A05).

    As parse_timerange, but takes every text that the pattern of timerange.json allows: one without any timestamp, such
    as "[]" or "", is empty, and a missing bracket of a single timestamp is inclusive. Raises Invalid for anything else.
    """
    if _NO_TIMESTAMP_TEXT.fullmatch(text):
        return EMPTY
    instant = _INSTANT_TEXT.fullmatch(text)
    if instant:
        opening, at, closing = instant.groups()
        text = f"{opening or '['}{at}{closing or ']'}"
    return parse_timerange(text, field)


def _not_a_timerange(text: str, field: str) -> Invalid:
    return Invalid(
        f"{field} must be a timerange such as [0:0_10:0), [5:0], _ or (), not {text[:80]!r}",
        code=error_codes.TIMERANGE,
        field=field,
        behaviour="TR-16",
    )


def parse_bounded(text: str, field: str = "timerange") -> TimeRange:
    """The finite timerange of a segment or an object (SEG-POST-16, SEG-POST-17, A38).

    Raises Invalid if it is empty, reversed or infinite, starts with "(", or does not fit the tables.
    """
    if text.startswith("("):
        raise Invalid(
            f"{field} must start with '[' or a timestamp, not with '(' as {text[:80]!r} does",
            code=error_codes.TIMERANGE_UNBOUNDED,
            field=field,
            behaviour="SEG-POST-16",
        )
    parsed = parse_timerange(text, field)
    if parsed.is_empty:
        raise Invalid(
            f"{field} must end after its start, which {text[:80]!r} does not",
            code=error_codes.TIMERANGE_UNBOUNDED,
            field=field,
            behaviour="SEG-POST-17",
        )
    if parsed.start is None or parsed.end is None:
        raise Invalid(
            f"{field} must have a start and an end, not be {text[:80]!r}",
            code=error_codes.TIMERANGE_UNBOUNDED,
            field=field,
            behaviour="SEG-POST-17",
        )
    _storable(parsed.start, text, field)
    _storable(parsed.end, text, field)
    return parsed
