"""The summary of a flow's timeline, for pictures of it: segments, what they cover, and gaps, by buckets (F20).

It costs the same however long the flow is: a request counts no more than so many segments, and says from where the next
request goes on.
"""

from dataclasses import dataclass
from typing import Final

from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.flows import flow_rows
from storage.catalog.flows.content_range import measure_content_span
from storage.catalog.spans import Span
from storage.catalog.timeline.buckets import Bucket, cell_level, fill_buckets
from storage.catalog.timeline.cell_cache import BLOCK_LEVELS, CellCache
from storage.catalog.timeline.cells import Part, read_cells
from storage.catalog.timeline.samples import sample
from storage.tables.conditions import Compare, equals
from storage.tables.span_cells import MAX_LEVEL
from storage.tables.transaction import Reader
from storage.timerange import EARLIEST, EMPTY, ETERNITY, LATEST, TimeRange
from storage.waiting import about_to_wait

MOST_BUCKETS: Final = 2_000
DEFAULT_BUCKETS: Final = 500


@dataclass(frozen=True, slots=True)
class TimelineRequest:
    """level: buckets are 2^level ns long; None chooses the shortest of which at most `buckets` cover the timerange."""

    timerange: TimeRange = ETERNITY
    buckets: int = DEFAULT_BUCKETS
    level: int | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """timerange: what was counted. rest: what of the requested timerange was not, EMPTY for nothing.

    content: from the flow's first segment to the end of its last. updated: when the flow's segments changed last, in
    microseconds since 1970.
    """

    timerange: TimeRange
    rest: TimeRange
    content: TimeRange
    updated: int | None
    level: int
    buckets: list[Bucket]

    def has_gap(self, bucket: Bucket) -> bool:
        """Whether a part of a bucket is without segments, of what was counted and lies within the content."""
        first, last = self._intersection().bounds
        start = max(first, bucket.number << self.level)
        end = min(last, (bucket.number + 1) << self.level)
        return bucket.covered < end - start

    def _intersection(self) -> TimeRange:
        return self.timerange.intersection(self.content)


class Timelines:
    """The timelines of the catalogue's flows."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._cache = CellCache()

    def summary(self, caller: Caller, flow_id: str, request: TimelineRequest) -> Summary:
        """Summarise a timerange of a flow, or as much from its start as one request may cost.

        Raises: NotFound; Forbidden if the caller may not read the flow.
        """
        about_to_wait()
        with self._env.engine.read() as tx:
            flow = flow_rows.get(tx, caller, flow_id, ("id", "segments_updated"))
            content = measure_content_span(tx, flow_id)
            level, span = _grid(request, content)
            updated = flow["segments_updated"]
            if span[0] >= span[1]:
                return Summary(EMPTY, EMPTY, _timerange(content), updated, level, [])
            end = min(span[1], ((span[0] >> level) + MOST_BUCKETS) << level)
            part = _part(flow_id, updated, content, (span[0], end), level)
            counted = read_cells(tx, self._cache, part)
            until = min(end, counted.end) if counted.end < part.end else end
            covered_until = _end_before(tx, flow_id, span[0], content)
            buckets = fill_buckets(counted.cells, (span[0], until), level, covered_until)
            sample(tx, caller, flow_id, buckets)
        return Summary(
            TimeRange(span[0], until), TimeRange(until, span[1]), _timerange(content), updated, level, buckets
        )


def _timerange(content: Span) -> TimeRange:
    return TimeRange(*content)


def _grid(request: TimelineRequest, content: Span) -> tuple[int, Span]:
    """The level of the buckets, and the span to count: the requested one within the content.

    The level depends on the content only where the requested timerange is infinite.
    """
    if request.timerange.is_empty:
        return request.level or 0, (0, 0)
    start = content[0] if request.timerange.start is None else max(request.timerange.start, EARLIEST)
    end = content[1] if request.timerange.end is None else min(request.timerange.end, LATEST)
    level = request.level
    if level is None:
        level = next((n for n in range(MAX_LEVEL) if _touched(start, end, n) <= request.buckets), MAX_LEVEL)
    return level, (max(start, content[0]), min(end, content[1]))


def _touched(start: int, end: int, level: int) -> int:
    """How many buckets a span overlaps."""
    return ((end - 1) >> level) - (start >> level) + 1


def _part(flow_id: str, version: int | None, content: Span, span: Span, level: int) -> Part:
    """The part to count: the span, extended to whole blocks of cells where there is no content outside of it.

    Blocks are kept only if they are counted as a whole.
    """
    fine = cell_level(level)
    shift = fine + BLOCK_LEVELS
    start = (span[0] >> shift) << shift if span[0] <= content[0] else span[0]
    end = -(-span[1] >> shift) << shift if span[1] >= content[1] else span[1]
    return Part(flow_id, version, content, max(start, EARLIEST), min(end, LATEST), fine)


def _end_before(tx: Reader, flow_id: str, start: int, content: Span) -> int:
    """Until when a segment lasts that started before a moment; at most that moment if none lasts until then."""
    if start <= content[0]:
        return start
    where = [*equals(flow_id=flow_id), Compare("start_ns", "<", start)]
    found = tx.select("segments", where, order=("start_ns",), descending=True, limit=1, columns=["start_ns", "end_ns"])
    return found[0]["end_ns"] if found else start
