"""Reads the cells of a part of a flow's timeline, those that were counted before from a cache."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from storage.catalog.timeline.cell_cache import BLOCK_LEVELS, CellCache
from storage.tables.conditions import Compare, equals
from storage.tables.span_cells import SpanCell, group_spans
from storage.tables.transaction import Reader

_LONGEST_COUNTED: Final = 2**62
"""The longest content, in ns, of which a database can add the lengths of segments. That is 146 years."""
_MOST_READ: Final = 5_000
"""Segments that are read one by one, of content that is longer."""


@dataclass(frozen=True, slots=True)
class Part:
    """The part [start, end) of a flow's timeline, in ns, to be counted in cells of 2^level ns.

    version: of the flow's segments. content: the span in which they lie.
    """

    flow_id: str
    version: int | None
    content: tuple[int, int]
    start: int
    end: int
    level: int


@dataclass(frozen=True, slots=True)
class Counted:
    """The cells of a part, in order of time. end: where counting stopped, at the end of the part or before."""

    cells: list[SpanCell]
    end: int


def read_cells(tx: Reader, cache: CellCache, part: Part) -> Counted:
    """The cells of a part, of which as many are counted as one request may cost; the others come with the next."""
    found: list[SpanCell] = []
    position, left = part.start, _most(tx, part)
    size = 1 << (part.level + BLOCK_LEVELS)
    while position < part.end and left > 0:
        known = _known(cache, part, position)
        if known is not None:
            found += known
            position = (position // size + 1) * size
            continue
        end = _next_known(cache, part, position)
        cells = _count(tx, part, position, end, left)
        left -= sum(cell.spans for cell in cells)
        if left <= 0:
            end, cells = _cut(cells, part.level, position)
        _keep(cache, part, position, end, cells)
        found += cells
        position = end
    return Counted(found, min(position, part.end))


def _most(tx: Reader, part: Part) -> int:
    return tx.max_counted if _fits(part) else _MOST_READ


def _fits(part: Part) -> bool:
    return part.content[1] - part.content[0] < _LONGEST_COUNTED


def _count(tx: Reader, part: Part, start: int, end: int, limit: int) -> list[SpanCell]:
    if _fits(part):
        return tx.span_cells("segments", part.flow_id, start, end, part.level, limit)
    where = [*equals(flow_id=part.flow_id), Compare("start_ns", ">=", start), Compare("start_ns", "<", end)]
    columns = ["start_ns", "end_ns"]
    rows = tx.select("segments", where, order=("start_ns",), limit=limit, columns=columns)
    return group_spans(((row["start_ns"], row["end_ns"]) for row in rows), part.level)


def _cut(cells: list[SpanCell], level: int, start: int) -> tuple[int, list[SpanCell]]:
    """Where to stop if no more may be counted, and the cells until there: the last may have more segments.

    Stop at the start of its block, so that the next request counts that as a whole, else at the start of the cell. If
    there is only that cell, stop after the last of its segments that was counted.
    """
    block = cells[-1].number >> BLOCK_LEVELS
    block_start = block << (level + BLOCK_LEVELS)
    if block_start > start:
        return block_start, [cell for cell in cells if cell.number >> BLOCK_LEVELS < block]
    last_start = cells[-1].number << level
    if last_start > start and len(cells) > 1:
        return last_start, cells[:-1]
    return cells[-1].end, cells


def _known(cache: CellCache, part: Part, position: int) -> list[SpanCell] | None:
    """The cells of the block that begins at a position, if it is in the cache and wholly in the part."""
    number, offset = divmod(position, 1 << (part.level + BLOCK_LEVELS))
    if offset or (number + 1) << (part.level + BLOCK_LEVELS) > part.end:
        return None
    return cache.get((part.flow_id, part.level, number), part.version)


def _next_known(cache: CellCache, part: Part, position: int) -> int:
    """The start of the next block that is in the cache, or the end of the part."""
    shift = part.level + BLOCK_LEVELS
    for number in range((position >> shift) + 1, (part.end >> shift) + 1):
        if _known(cache, part, number << shift) is not None:
            return number << shift
    return part.end


def _keep(cache: CellCache, part: Part, start: int, end: int, cells: Sequence[SpanCell]) -> None:
    """Keep those blocks that lie wholly within [start, end)."""
    if not _fits(part):
        return
    shift = part.level + BLOCK_LEVELS
    blocks: dict[int, list[SpanCell]] = {number: [] for number in range(-(-start >> shift), end >> shift)}
    for cell in cells:
        block = blocks.get(cell.number >> BLOCK_LEVELS)
        if block is not None:
            block.append(cell)
    for number, members in blocks.items():
        cache.put((part.flow_id, part.level, number), part.version, members)
