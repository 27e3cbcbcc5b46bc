"""Spans of time, and the timerange that covers several segments."""

from storage.timerange import TimeRange, parse_timerange

Span = tuple[int, int]
"""[start, end) in nanoseconds; empty if they are equal."""


def covering_span(one: Span, other: Span) -> Span:
    """The shortest span that covers both."""
    if one[0] == one[1]:
        return other
    if other[0] == other[1]:
        return one
    return min(one[0], other[0]), max(one[1], other[1])


def covering_timerange(first: str, last: str) -> TimeRange:
    """The timerange from the start of `first` to the end of `last`, both timeranges as text.

    The end is inclusive or exclusive as it is in `last`.
    """
    start, end = parse_timerange(first), parse_timerange(last)
    return TimeRange(start.start, end.end, end.closed)
