"""Where on a flow's timeline there is content."""

from storage.tables.conditions import Compare, Condition, Overlaps, equals
from storage.tables.engine import Reader, Row, Writer
from storage.timerange import EMPTY, TimeRange, parse_timerange

Span = tuple[int, int]
"""[start, end) in ns; empty where they are equal."""
CONTENT = ("content_start", "content_end")
"""Columns of a flow's row that tell what holds every segment of it; null where that is not known."""


def extent(tx: Reader, flow: Row, within: TimeRange) -> TimeRange:
    """From the start of the first segment that meets `within` to the end of the last, cut to `within`; gaps count.

    EMPTY where no segment meets it (FLOW-GET-04, -05, -07, A20). Two looks into the index, however many segments.
    """
    if within.is_empty:
        return EMPTY
    where = (*equals(flow_id=flow["id"]), Overlaps(*within.bounds), *inside_content(flow))
    first = tx.select("segments", where, order=("start_ns",), limit=1, columns=["timerange"])
    if not first:
        return EMPTY
    last = tx.select("segments", where, order=("start_ns",), descending=True, limit=1, columns=["timerange"])
    return hull(first[0]["timerange"], last[0]["timerange"]).intersection(within)


def hull(first: str, last: str) -> TimeRange:
    """From the start of the first to the end of the last of two timeranges, given as text, with that end's mark."""
    start, end = parse_timerange(first), parse_timerange(last)
    return TimeRange(start.start, end.end, end.closed)


def content_of(tx: Reader, flow: Row) -> Span:
    """What holds every segment of the flow: known with its row, or looked up."""
    return known_content(flow) or look_up_content(tx, flow["id"])


def known_content(flow: Row) -> Span | None:
    """What the flow's row says holds every segment of it."""
    return None if flow["content_start"] is None else (flow["content_start"], flow["content_end"])


def look_up_content(tx: Reader, flow_id: str) -> Span:
    """From the start of the first segment to the end of the last."""
    where, columns = equals(flow_id=flow_id), ["start_ns", "end_ns"]
    first = tx.select("segments", where, order=("start_ns",), limit=1, columns=columns)
    last = tx.select("segments", where, order=("start_ns",), descending=True, limit=1, columns=columns)
    return (first[0]["start_ns"], last[0]["end_ns"]) if first and last else (0, 0)


def renew_content(tx: Writer, flow_id: str) -> None:
    """Have the flow's row say where it has segments now."""
    tx.update("flows", equals(id=flow_id), dict(zip(CONTENT, look_up_content(tx, flow_id), strict=True)))


def united(one: Span, other: Span) -> Span:
    """The shortest that holds both."""
    if one[0] == one[1]:
        return other
    if other[0] == other[1]:
        return one
    return min(one[0], other[0]), max(one[1], other[1])


def after_deletion(content: Span, deleted: Span, first: int, last: int) -> Span:
    """What is left of `content` once everything inside `deleted` is gone, of which the first began at `first` and the
    last ended at `last`."""
    start = last if deleted[0] <= content[0] else content[0]
    end = first if deleted[1] >= content[1] else content[1]
    return (start, end) if start < end else (0, 0)


def inside_content(flow: Row) -> list[Condition]:
    """Conditions that every segment of the flow meets, for engines that have to know where to look."""
    content = known_content(flow)
    if content is None:
        return []
    return [Compare("start_ns", ">=", content[0]), Compare("start_ns", "<", content[1])]
