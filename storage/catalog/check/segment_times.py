"""The part of a check that finds segments that overlap, which no writer may leave behind."""

from collections.abc import Iterator, Sequence

from storage.catalog.check.findings import WRONG_TIMES, Finding
from storage.catalog.environment import Environment
from storage.tables.conditions import equals
from storage.tables.rows import SegmentRow

_MAX_SUSPECTS = 1000
"""Of more than so many segments, the rest is not looked at: it is one damage."""


class SegmentTimes:
    """Looks at the segments while they are read, in the order of their key: by flow and time."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._last: SegmentRow | None = None
        self._suspects: list[tuple[str, int]] = []

    def read(self, rows: Sequence[SegmentRow]) -> None:
        """Compare each of the next segments with the one before. rows: with flow_id, start_ns and end_ns."""
        for row in rows:
            if not _follows(row, self._last) and len(self._suspects) < _MAX_SUSPECTS:
                self._suspects.append((row["flow_id"], row["start_ns"]))
            self._last = row

    def find(self) -> Iterator[Finding]:
        """Report those that are still wrong, as others may write meanwhile."""
        for flow_id, start in self._suspects:
            with self._env.engine.read() as tx:
                row = tx.get("segments", flow_id=flow_id, start_ns=start)
                earlier = tx.select(
                    "segments", equals(flow_id=flow_id), order=("start_ns",), descending=True, after=[start], limit=1
                )
            if row is not None and not _follows(row, earlier[0] if earlier else None):
                detail = f"segment {row['timerange']} overlaps the one before it, or ends before it begins"
                yield Finding(WRONG_TIMES, detail, row["object_id"], flow_id=flow_id)


def _follows(row: SegmentRow, last: SegmentRow | None) -> bool:
    if row["end_ns"] < row["start_ns"]:
        return False
    return last is None or last["flow_id"] != row["flow_id"] or last["end_ns"] <= row["start_ns"]
