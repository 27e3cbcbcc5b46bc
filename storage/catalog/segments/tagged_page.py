"""Pages of segments that are filtered by tags (F14), at the cost of the page, however many segments there are.

All segments with a value of a tag, or with a tag, are in an index in the order of time, and so are those of an object.
Of these indexes, the one that leads furthest with the same number of segments is walked, and the segments to which it
leads are checked against the other filters. Where many pass each filter, but few pass all, a page ends after a number
of checks, with fewer segments than it may have, perhaps with none; the next page continues there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from storage.catalog.flows.content_range import recorded_content_span
from storage.catalog.paging import Order, PageRequest, key_after, select_within, start_of_page
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.catalog.spans import Span
from storage.catalog.tags import TagFilter
from storage.tables.conditions import Compare, Condition, Exists, In, equals
from storage.tables.limits import SEGMENT_TAG_VALUES
from storage.tables.rows import FlowRow, SegmentRow
from storage.tables.transaction import Reader, Selection
from storage.timerange import EARLIEST, ETERNITY, LATEST
from storage.waiting import about_to_take_long

_ORDER = Order(("start_ns",))
_ROUNDS = 20
"""How often segments are checked for one page at most."""
_MOST = 2_000
"""Segments that are checked at once, at most: in the first round few, as most pages need no more."""
_MOST_READ = 100_000
"""Rows of indexes after which no further round begins."""


@dataclass(frozen=True, slots=True)
class _Path:
    """An index that has the starts of all segments that pass a filter, in order.

    check: that filter, as a condition on segments; None if all segments of the flow pass.
    repeats: how many rows, at most, are read to find one segment with any of several values.
    """

    table: str
    where: tuple[Condition, ...]
    check: Condition | None = None
    repeats: int = 1


def select_tagged_page(
    tx: Reader,
    flow_id: str,
    flow: FlowRow,
    filters: SegmentFilter,
    request: PageRequest,
    size: int,
    columns: Sequence[str],
) -> tuple[list[SegmentRow], str | None]:
    """Select the segments of one page; with the key of the next page, None on the last.

    flow: the columns of the flow with its content range. size: most segments of the page.

    Raises: Invalid for a page key that another listing issued, or none (PAGE-06).
    """
    of_flow = equals(flow_id=flow_id)
    after = start_of_page(tx, "segments", of_flow, _ORDER, request)
    first, last = _span(tx, of_flow, flow, filters)
    if after is not None and request.reverse:
        last = min(last, after[0])
    elif after is not None:
        first = max(first, after[0] + 1)
    starts, end = _Walk(tx, flow_id, filters, request.reverse).starts((first, last), size + 1)
    how: Selection = {"order": _ORDER.columns, "descending": request.reverse, "columns": columns}
    where = [*of_flow, In("start_ns", starts[:size])]
    rows, is_cut = select_within(tx, "segments", where, how, size) if starts else ([], False)
    if is_cut or len(starts) > size:
        end = rows[-1]["start_ns"]
    return rows, None if end is None else key_after({"start_ns": end}, "segments", of_flow, _ORDER, request)


def _span(tx: Reader, of_flow: Sequence[Condition], flow: FlowRow, filters: SegmentFilter) -> Span:
    """The span in which all segments begin that overlap the timerange of the filters, in ns."""
    first, last = recorded_content_span(flow) or (EARLIEST, LATEST)
    if filters.timerange == ETERNITY:
        return first, last
    start, end = filters.timerange.bounds
    if start > first:
        # One lookup instead of a condition on ends, by which no index of tags is sorted.
        where = [*of_flow, Compare("end_ns", ">", start)]
        found = tx.select("segments", where, order=("end_ns",), limit=1, columns=["start_ns"])
        if not found:
            return 0, 0
        first = max(first, found[0]["start_ns"])
    return first, min(last, end)


class _Walk:
    """Finds the segments that pass the filters, in order."""

    def __init__(self, tx: Reader, flow_id: str, filters: SegmentFilter, reverse: bool) -> None:
        self._tx = tx
        self._reverse = reverse
        self._of_flow = equals(flow_id=flow_id)
        self._checks: list[Condition] = [*_conditions(filters.tags, flow_id)]
        self._paths = [
            _Path(each.table, each.where, each, _repeats(each))
            for each in _conditions(filters.tags, flow_id)
            if each.present
        ]
        if filters.object_id is not None:
            [of_object] = equals(object_id=filters.object_id)
            self._checks.append(of_object)
            self._paths.append(_Path("segments", (*self._of_flow, of_object), of_object))
        if not self._paths:
            self._paths.append(_Path("segments", self._of_flow))

    def starts(self, span: Span, wanted: int) -> tuple[list[int], int | None]:
        """The starts of the first `wanted` segments in `span` that pass; of fewer if these are all, or hard to find.

        Returns with them the start up to which segments have been checked; None if there are no more.
        """
        found: list[int] = []
        count, end, left = wanted, None, _MOST_READ
        for _ in range(_ROUNDS):
            left -= count * sum(path.repeats for path in self._paths)
            path, starts, is_last = self._furthest(span, count)
            found += self._passing(path, starts)
            end = None if is_last else starts[-1]
            if end is None or len(found) >= wanted or left <= 0:
                break
            about_to_take_long()
            span = (span[0], end) if self._reverse else (end + 1, span[1])
            count = min(_MOST, 4 * count)
        return found[:wanted], end

    def _furthest(self, span: Span, count: int) -> tuple[_Path, list[int], bool]:
        """The path that leads furthest with `count` segments, where these start, and whether there are no more."""
        found: list[tuple[_Path, list[int]]] = []
        for path in self._paths:
            starts, is_last = self._read(path, span, count)
            if is_last:
                return path, starts, True
            found.append((path, starts))
        furthest = min if self._reverse else max
        path, starts = furthest(found, key=lambda each: each[1][-1])
        if count == _MOST:
            self._paths = [path]  # To read all of them every time would cost more than it saves.
        return path, starts, False

    def _read(self, path: _Path, span: Span, count: int) -> tuple[list[int], bool]:
        """The starts of the first `count` segments to which a path leads, and whether there are no more."""
        if span[0] >= span[1]:
            return [], True
        # Bounded on one side only: with two bounds, PostgreSQL without statistics prefers an index of all segments.
        bound = Compare("start_ns", "<", span[1]) if self._reverse else Compare("start_ns", ">=", span[0])
        where = [*path.where, bound]
        order, columns = _ORDER.columns, ["start_ns"]
        rows = self._tx.select(path.table, where, order=order, descending=self._reverse, limit=count, columns=columns)
        # A segment has a row for each value of a tag.
        starts = list(dict.fromkeys(row["start_ns"] for row in rows))
        inside = [start for start in starts if span[0] <= start < span[1]]
        return inside, len(rows) < count or len(inside) < len(starts)

    def _passing(self, path: _Path, starts: list[int]) -> list[int]:
        """Those of the segments that pass all filters. path: the one that led to them."""
        checks = [each for each in self._checks if each != path.check]
        if not checks or not starts:
            return starts
        where = [*self._of_flow, In("start_ns", starts), *checks]
        rows = self._tx.select("segments", where, columns=["start_ns"])
        return sorted((row["start_ns"] for row in rows), reverse=self._reverse)


def _repeats(condition: Exists) -> int:
    """How many of the values that a filter lists a segment may have."""
    return min(
        SEGMENT_TAG_VALUES, max([len(each.values) for each in condition.where if isinstance(each, In)], default=1)
    )


def _conditions(tags: TagFilter, flow_id: str) -> Iterator[Exists]:
    """The filter as conditions on the segments of a flow."""

    def having(present: bool, *conditions: Condition, **columns: str | bool) -> Exists:
        where = (*equals(flow_id=flow_id, **columns), *conditions)
        return Exists("segment_tags", "start_ns", "start_ns", where, present)

    for name, values in tags.values.items():
        if len(values) == 1:
            yield having(True, name=name, value=values[0], empty=False)
        else:
            yield having(True, In("value", values), name=name, empty=False)
    for name, present in tags.exists.items():
        yield having(present, name=name)
