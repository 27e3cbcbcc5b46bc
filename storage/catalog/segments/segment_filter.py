"""The filters of a listing or a deletion of segments."""

from dataclasses import dataclass, field

from storage.catalog.tags import TagFilter
from storage.tables.conditions import Compare, Condition, Overlaps, equals
from storage.timerange import ETERNITY, TimeRange


@dataclass(frozen=True, slots=True)
class SegmentFilter:
    """The filters of a request for segments. object_id: only segments of this object; None does not filter.

    tags: for listings only, which `tagged_page` selects if there are any.
    """

    timerange: TimeRange = ETERNITY
    object_id: str | None = None
    tags: TagFilter = field(default_factory=TagFilter)

    def overlapping(self, flow_id: str) -> list[Condition]:
        """Conditions for the flow's segments that overlap the timerange, as listings return them."""
        where = self._on_flow_and_object(flow_id)
        if self.timerange != ETERNITY:
            where.append(Overlaps(*self.timerange.bounds))
        return where

    def inside(self, flow_id: str) -> list[Condition]:
        """Conditions for the flow's segments that lie entirely within the timerange, as deletions need (SEG-DEL-02 to
        -05)."""
        where = self._on_flow_and_object(flow_id)
        if self.timerange != ETERNITY:
            start, end = self.timerange.bounds
            where += [Compare("start_ns", ">=", start), Compare("start_ns", "<", end), Compare("end_ns", "<=", end)]
        return where

    def _on_flow_and_object(self, flow_id: str) -> list[Condition]:
        where: list[Condition] = [*equals(flow_id=flow_id)]
        if self.object_id is not None:
            where += equals(object_id=self.object_id)
        return where
