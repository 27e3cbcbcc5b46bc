"""Flows whose retention rule may have something due, found page by page in the listings of the catalogue."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from storage.catalog.flows.content_range import content_span, measure_content_span, recorded_content_span
from storage.catalog.flows.flow_filter import KIND, FlowFilter
from storage.catalog.paging import Order, PageRequest, select_page
from storage.catalog.retention.rule import RetentionRule, retention_rule
from storage.catalog.retention_tags import TAGS
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.catalog.tags import TagFilter
from storage.tables.conditions import Compare, Condition, equals
from storage.tables.rows import FlowRow, SegmentRow
from storage.tables.transaction import Reader
from storage.tai import tai_of_unix
from storage.timerange import TimeRange

PAGE_FLOWS: Final = 100
_ORDER: Final = Order(("created", "id"))


@dataclass(frozen=True, slots=True)
class Pass:
    """A place in a pass over all flows. listing: number of the listing. key: page key in it; None for its beginning."""

    listing: int = 0
    key: str | None = None


@dataclass(frozen=True, slots=True)
class RetentionTimes:
    """The time by which something is due. now_us: microseconds since 1970.

    empty_flow_s: how long a flow without content is kept after its last change, in seconds; None for ever.
    """

    now_us: int
    empty_flow_s: int | None = None

    @property
    def tai_ns(self) -> int:
        return tai_of_unix(self.now_us * 1000)


def flows_to_look_at(tx: Reader, place: Pass, times: RetentionTimes) -> tuple[list[FlowRow], Pass | None]:
    """Return a page of flows that may have something due, and the next place; None at the end of the pass.

    A flow with several of the tags is met several times.
    """
    listings = _listings(times)
    if place.listing >= len(listings):
        return [], None
    where = [*listings[place.listing], *equals(read_only=False)]
    rows, key = select_page(tx, "flows", where, _ORDER, PageRequest(key=place.key), PAGE_FLOWS)
    if key is not None:
        return rows, Pass(place.listing, key)
    return rows, Pass(place.listing + 1) if place.listing + 1 < len(listings) else None


def _listings(times: RetentionTimes) -> list[list[Condition]]:
    tagged: list[list[Condition]] = [list(TagFilter(exists={name: True}).conditions(KIND)) for name in TAGS]
    return tagged if times.empty_flow_s is None else [*tagged, FlowFilter().conditions()]


def rule_of(flow: FlowRow) -> RetentionRule:
    return retention_rule(flow["doc"].get("tags", {}))


def due_segments(tx: Reader, flow: FlowRow, times: RetentionTimes) -> TimeRange | None:
    """Return the timerange in which all segments are due; None if no segment is.

    Costs nothing where the content range of the flow tells already, else one or two look-ups in an index.
    """
    rule = rule_of(flow)
    if rule.segment_offset is None and rule.loop_duration is None:
        return None
    start, end = content_span(tx, flow)
    limit = rule.segments_due_before(end, times.tai_ns)  # the recorded end may be later than that of the content
    if limit is None or start == end or limit <= start:
        return None
    if rule.loop_duration is not None:
        start, end = measure_content_span(tx, flow["id"])
        limit = rule.segments_due_before(end, times.tai_ns)
        if limit is None or start == end or limit <= start:
            return None
    due = TimeRange(None, limit)
    where = SegmentFilter(due).inside(flow["id"])
    return due if tx.select("segments", where, order=("start_ns",), limit=1, columns=["start_ns"]) else None


def first_due(tx: Reader, flow_id: str, due: TimeRange, limit: int, columns: tuple[str, ...]) -> list[SegmentRow]:
    """Return the first segments of the flow that lie in the timerange. limit: how many at most."""
    where = SegmentFilter(due).inside(flow_id)
    return tx.select("segments", where, order=("start_ns",), limit=limit, columns=columns)


def is_flow_due(tx: Reader, flow: FlowRow, times: RetentionTimes) -> bool:
    """Whether the flow itself is due: by its tag, or because it is empty and has been for long enough."""
    return any(due_at <= times.now_us * 1000 for due_at in _due_times(tx, flow, times))


def _due_times(tx: Reader, flow: FlowRow, times: RetentionTimes) -> Iterator[int]:
    last_change_ns = max(flow["metadata_updated"], flow["segments_updated"] or 0) * 1000
    due_at = rule_of(flow).flow_due_at(last_change_ns)
    if due_at is not None:
        yield due_at
    if times.empty_flow_s is not None and _is_empty(tx, flow, times):
        yield last_change_ns + times.empty_flow_s * 1_000_000_000


def _is_empty(tx: Reader, flow: FlowRow, times: RetentionTimes) -> bool:
    """Whether the flow has neither segments nor flows that it collects, which have the content of a multi flow.

    A flow whose first objects are still being uploaded is not empty either.
    """
    if flow["doc"].get("flow_collection"):
        return False
    recorded = recorded_content_span(flow)
    start, end = measure_content_span(tx, flow["id"]) if recorded is None else recorded
    if start != end:
        return False
    awaited = [*equals(flow_id=flow["id"], state="allocated"), Compare("expires", ">", times.now_us)]
    return not tx.select("objects", awaited, limit=1, columns=["id"])
