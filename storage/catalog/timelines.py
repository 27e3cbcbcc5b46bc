"""Where on a flow's timeline there is content."""

from storage.tables.conditions import Overlaps, equals
from storage.tables.engine import Reader
from storage.timerange import EMPTY, TimeRange, parse_timerange


def extent(tx: Reader, flow_id: str, within: TimeRange) -> TimeRange:
    """From the start of the first segment that meets `within` to the end of the last, cut to `within`; gaps count.

    EMPTY where no segment meets it (FLOW-GET-04, -05, -07, A20). Two looks into the index, however many segments.
    """
    if within.is_empty:
        return EMPTY
    where = (*equals(flow_id=flow_id), Overlaps(*within.bounds))
    first = tx.select("segments", where, order=("start_ns",), limit=1, columns=["timerange"])
    if not first:
        return EMPTY
    last = tx.select("segments", where, order=("start_ns",), descending=True, limit=1, columns=["timerange"])
    return hull(first[0]["timerange"], last[0]["timerange"]).intersection(within)


def hull(first: str, last: str) -> TimeRange:
    """From the start of the first to the end of the last of two timeranges, given as text, with that end's mark."""
    start, end = parse_timerange(first), parse_timerange(last)
    return TimeRange(start.start, end.end, end.closed)
