"""Buckets of a timeline: parts of equal length, with what the cells within them say of its segments."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from storage.catalog.spans import Span
from storage.tables.span_cells import SpanCell

FINER: Final = 4
"""A bucket has 2^FINER cells, except that no cell is shorter than a nanosecond."""


@dataclass(slots=True)
class Bucket:
    """The part of a bucket within a span that was counted.

    number: it begins at number times the length of buckets. segments: how many start in it. covered: how many ns of it
    they cover, and those that started before. starts: where some of them start.
    sampled: of how many of them the other numbers tell. reused: whose objects other segments use too. partial: that use
    a part of their object. key_frames: how many these have, None if unknown.
    """

    number: int
    segments: int = 0
    covered: int = 0
    starts: list[int] = field(default_factory=list)
    sampled: int = 0
    reused: int = 0
    partial: int = 0
    key_frames: int | None = None


def cell_level(level: int) -> int:
    """The level of the cells of buckets of 2^level ns."""
    return max(0, level - FINER)


def fill_buckets(cells: Iterable[SpanCell], span: Span, level: int, covered_until: int) -> list[Bucket]:
    """The buckets of 2^level ns that overlap a span: the first, the last, and those in which there is anything.

    The first and the last may be parts of buckets, which shows a gap at the edge of the span.

    cells: of the segments that start in the span. covered_until: until when a segment lasts that started before it.
    """
    edges = span[0] >> level, (span[1] - 1) >> level
    buckets = {number: Bucket(number) for number in edges}

    def cover(start: int, end: int) -> None:
        """Count a time that is covered throughout."""
        end = min(end, span[1])
        while start < end:
            number = start >> level
            until = min(end, (number + 1) << level)
            buckets.setdefault(number, Bucket(number)).covered += until - start
            start = until

    cover(span[0], covered_until)
    for cell in cells:
        number = cell.start >> level
        bucket = buckets.setdefault(number, Bucket(number))
        bucket.segments += cell.spans
        bucket.starts.append(cell.start)
        # Only the last of the cell's segments can last beyond the bucket.
        until = min(span[1], (number + 1) << level)
        bucket.covered += cell.total - max(0, cell.end - until)
        cover(until, cell.end)
    return [buckets[number] for number in sorted(buckets)]
