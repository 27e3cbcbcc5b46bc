"""The content range of a flow: a span of time that contains all of its segments.

The flow's row records it, so that queries for segments know where to look. It may be wider than the segments need, but
never narrower. Rows written by an early release record none: then it is measured from the segments.
"""

from typing import Any

from storage.catalog.spans import Span, covering_timerange
from storage.tables.conditions import Compare, Condition, Overlaps, equals
from storage.tables.outline import outline_columns
from storage.tables.rows import FlowRow
from storage.tables.transaction import Reader, Writer
from storage.timerange import EMPTY, TimeRange

CONTENT_COLUMNS = ("content_start", "content_end")
"""Columns of a flow's row that record its content range in ns; null if it is unknown."""


def content_timerange(tx: Reader, flow: FlowRow, within: TimeRange) -> TimeRange:
    """The timerange from the first segment that overlaps `within` to the last, clipped to `within`; gaps are included.

    EMPTY if no segment overlaps it (FLOW-GET-04, -05, -07, A20). Costs two index look-ups, however many segments there
    are.
    """
    if within.is_empty:
        return EMPTY
    where = (*equals(flow_id=flow["id"]), Overlaps(*within.bounds), *in_content_range(flow))
    first = tx.select("segments", where, order=("start_ns",), limit=1, columns=["timerange"])
    if not first:
        return EMPTY
    last = tx.select("segments", where, order=("start_ns",), descending=True, limit=1, columns=["timerange"])
    return covering_timerange(first[0]["timerange"], last[0]["timerange"]).intersection(within)


def in_content_range(flow: FlowRow) -> list[Condition]:
    """Conditions that every segment of the flow meets; they show an engine where to look."""
    content = recorded_content_span(flow)
    if content is None:
        return []
    return [Compare("start_ns", ">=", content[0]), Compare("start_ns", "<", content[1])]


def content_span(tx: Reader, flow: FlowRow) -> Span:
    """The flow's content range as recorded in its row, else as measured."""
    return recorded_content_span(flow) or measure_content_span(tx, flow["id"])


def recorded_content_span(flow: FlowRow) -> Span | None:
    """The content range that the flow's row records; None if it records none."""
    start, end = flow["content_start"], flow["content_end"]
    return None if start is None or end is None else (start, end)


def measure_content_span(tx: Reader, flow_id: str) -> Span:
    """The span from the start of the flow's first segment to the end of its last; (0, 0) if it has none."""
    where, columns = equals(flow_id=flow_id), ["start_ns", "end_ns"]
    first = tx.select("segments", where, order=("start_ns",), limit=1, columns=columns)
    last = tx.select("segments", where, order=("start_ns",), descending=True, limit=1, columns=columns)
    return (first[0]["start_ns"], last[0]["end_ns"]) if first and last else (0, 0)


def refresh_content_span(tx: Writer, flow_id: str) -> None:
    """Measure the flow's content range and record it."""
    tx.update("flows", equals(id=flow_id), content_columns(measure_content_span(tx, flow_id)))


def content_columns(content: Span, recorded: FlowRow | None = None) -> dict[str, Any]:
    """The columns of a flow's row that record this content range.

    recorded: the row as it is. Then the columns of the outline are left out unless they change, since they are indexed.
    """
    columns = dict(zip(CONTENT_COLUMNS, content, strict=True))
    outline = outline_columns(*content)
    if recorded is not None and all(recorded[name] == value for name, value in outline.items()):  # type: ignore[literal-required]
        return columns
    return columns | outline


def content_span_after_deletion(content: Span, deleted: Span, first_start: int, last_end: int) -> Span:
    """The content range once all segments inside the span `deleted` are gone.

    first_start, last_end: the start of the first and the end of the last segment that were deleted, in ns.
    """
    start = last_end if deleted[0] <= content[0] else content[0]
    end = first_start if deleted[1] >= content[1] else content[1]
    return (start, end) if start < end else (0, 0)
