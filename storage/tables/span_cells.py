"""Spans of one owner, counted in cells: parts of its timeline of 2^level ns, which begin at multiples of that."""

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

MAX_LEVEL = 62
"""Of cells whose lengths fit an int64."""


class SpanCell(NamedTuple):
    """The spans that start in one cell, at least one.

    number: the cell begins at number * 2^level ns. total: their lengths together, in ns. start: of the first. end: of
    the last, which may lie beyond the cell.
    """

    number: int
    spans: int
    total: int
    start: int
    end: int


def group_spans(spans: Iterable[tuple[int, int]], level: int) -> list[SpanCell]:
    """The cells of spans (start, end) in ns, which are in order of time and never overlap."""
    cells = []
    numbered = ((start >> level, start, end) for start, end in spans)
    for number, found in groupby(numbered, key=itemgetter(0)):
        members = list(found)
        total = sum(end - start for _, start, end in members)
        cells.append(SpanCell(number, len(members), total, members[0][1], members[-1][2]))
    return cells
