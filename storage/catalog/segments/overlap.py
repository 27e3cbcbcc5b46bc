"""Overlap: two segments of a flow never overlap in time (SEG-POST-22, A39, A40)."""

from bisect import bisect_left

from storage import error_codes
from storage.errors import Invalid
from storage.tables.conditions import Compare, equals
from storage.tables.transaction import Reader
from storage.timerange import TimeRange


class OccupiedTime:
    """The time that segments of one flow occupy: those stored, and those already accepted in this request.

    stored_end: no stored segment ends after this, in ns.
    """

    def __init__(self, tx: Reader, flow_id: str, stored_end: int) -> None:
        self._tx = tx
        self._flow_id = flow_id
        self._stored_end = stored_end
        self._starts: list[int] = []
        self._ends: list[int] = []

    def check_no_overlap(self, timerange: TimeRange) -> None:
        """Reject a timerange that overlaps a segment. Raises: Invalid (SEG-POST-22)."""
        start, end = timerange.bounds
        if self._overlaps_accepted(start, end) or self._overlaps_stored(start, end):
            raise Invalid(
                f"timerange {timerange} overlaps a segment that already exists in flow {self._flow_id}",
                code=error_codes.SEGMENT_OVERLAP,
                field="timerange",
                behaviour="SEG-POST-22",
            )

    def occupy(self, timerange: TimeRange) -> None:
        """Add the timerange of a segment that has been accepted."""
        start, end = timerange.bounds
        position = bisect_left(self._starts, start)
        self._starts.insert(position, start)
        self._ends.insert(position, end)

    def _overlaps_accepted(self, start: int, end: int) -> bool:
        position = bisect_left(self._starts, start)
        overlaps_previous = position > 0 and self._ends[position - 1] > start
        overlaps_next = position < len(self._starts) and self._starts[position] < end
        return overlaps_previous or overlaps_next

    def _overlaps_stored(self, start: int, end: int) -> bool:
        if start >= self._stored_end:
            return False
        next_to_end = self._tx.select(
            "segments",
            [*equals(flow_id=self._flow_id), Compare("end_ns", ">", start)],
            order=("end_ns",),
            limit=1,
            columns=["start_ns"],
        )
        return bool(next_to_end) and next_to_end[0]["start_ns"] < end
