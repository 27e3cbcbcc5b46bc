"""The part of a check that compares references to objects with what the catalogue records about them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby
from typing import Any, cast

from storage.catalog.check.findings import (
    MISSING_BYTES,
    MISSING_OBJECT,
    WRONG_COUNT,
    WRONG_EXPIRY,
    Finding,
    Progress,
    batches,
    pages,
)
from storage.catalog.check.scratch_index import ScratchIndex
from storage.catalog.check.segment_times import SegmentTimes
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.retry import retried
from storage.tables.conditions import In, equals
from storage.tables.rows import SegmentRow
from storage.tables.transaction import Reader

_ROWS_PER_COUNT_QUERY = 1000


class ObjectReferences:
    def __init__(self, env: Environment, index: ScratchIndex, repair: bool, progress: Progress) -> None:
        self._env = env
        self._index = index
        self._repair = repair
        self._progress = progress

    def count(self, times: SegmentTimes) -> None:
        """Count the segments of each flow that refer to each object. Call it before the comparisons.

        times: looks at the segments, too.
        """
        read = 0
        self._progress("segments", read)
        for rows in pages(self._env, "segments", ["end_ns", "object_id", "init_object_id"]):
            counts: Counter[tuple[str, str]] = Counter()
            for row in rows:
                for object_id in (row["object_id"], row["init_object_id"]):
                    if object_id is not None:
                        counts[object_id, row["flow_id"]] += 1
            times.read(cast("list[SegmentRow]", rows))
            self._index.add_references(counts)
            read += len(rows)
            self._progress("segments", read)

    def compare_counts(self) -> Iterator[Finding]:
        """Compare the counted references with the recorded ones, and with the objects that exist."""
        reported: str | None = None
        for batch in batches(self._counted_and_recorded()):
            with self._env.engine.read() as tx:
                rows = tx.select("objects", [In("id", sorted({each[0] for each in batch}))], columns=["id", "expires"])
            expires = {row["id"]: row["expires"] for row in rows}
            for object_id, flow_id, counted, recorded in batch:
                if counted != recorded:
                    yield from self._recheck_count(object_id, flow_id)
                if counted and object_id not in expires:
                    if object_id != reported:
                        reported = object_id
                        yield from self._recheck_missing_object(object_id)
                elif counted and expires[object_id] is not None:
                    yield from self._recheck_expiry(object_id)

    def compare_objects(self) -> Iterator[Finding]:
        """Find unreferenced objects that never expire, missing init objects, and objects without instances."""
        read = 0
        self._progress("objects", read)
        for rows in pages(self._env, "objects", ["state", "expires", "init_object_id"]):
            kept = {row["id"] for row in rows if row["expires"] is None}
            init_ids = {row["init_object_id"] for row in rows if row["expires"] is None} - {None}
            with self._env.engine.read() as tx:
                existing = _existing_values(tx, "objects", "id", init_ids)
                with_instances = _existing_values(tx, "instances", "object_id", kept)
            for object_id in sorted(kept - self._index.referenced(kept)):
                yield from self._recheck_expiry(object_id)
            for init_id in sorted(init_ids - existing):
                yield from self._recheck_missing_object(init_id)
            for object_id in sorted(kept - with_instances):
                yield from self._recheck_instances(object_id)
            read += len(rows)
            self._progress("objects", read)

    def _counted_and_recorded(self) -> Iterator[tuple[str, str, int, int]]:
        """Yield object id, flow id, and the counted and the recorded number of segments, unless both are 0."""
        counted = ((object_id, flow_id, segments, 0) for object_id, flow_id, segments in self._index.references())
        recorded = (
            (row["object_id"], row["flow_id"], 0, row["segments"])
            for rows in pages(self._env, "object_refs", ["segments"])
            for row in rows
        )
        for (object_id, flow_id), group in groupby(merge(counted, recorded), key=lambda each: (each[0], each[1])):
            each = list(group)
            yield object_id, flow_id, sum(part[2] for part in each), sum(part[3] for part in each)

    def _recheck_count(self, object_id: str, flow_id: str) -> Iterator[Finding]:
        with self._env.engine.read() as tx:
            counted, recorded = _count_now(tx, object_id, flow_id)
        if counted != recorded and self._repair:
            counted, recorded = self._correct_count(object_id, flow_id)
        if counted != recorded:
            detail = f"{counted} segments refer to it, {recorded} are recorded"
            yield Finding(WRONG_COUNT, detail, object_id, flow_id=flow_id, repaired=self._repair)

    @retried
    def _correct_count(self, object_id: str, flow_id: str) -> tuple[int, int]:
        """Record the actual number of referring segments. Returns it, and the number recorded before."""
        with self._env.engine.write() as tx:
            tx.lock(f"flow:{flow_id}")
            counted, recorded = _count_now(tx, object_id, flow_id)
            if counted != recorded:
                tx.delete("object_refs", equals(object_id=object_id, flow_id=flow_id))
                if counted:
                    tx.insert("object_refs", [{"object_id": object_id, "flow_id": flow_id, "segments": counted}])
        return counted, recorded

    def _recheck_expiry(self, object_id: str) -> Iterator[Finding]:
        with self._env.engine.read() as tx:
            error = _expiry_error(tx, object_id)
        if error is not None and self._repair:
            error = self._correct_expiry(object_id)
        if error is not None:
            yield Finding(WRONG_EXPIRY, error, object_id, repaired=self._repair)

    @retried
    def _correct_expiry(self, object_id: str) -> str | None:
        """Correct the expiry time of an object. Returns what was wrong, or None if nothing is wrong any more.

        Changes the row before it looks for references, so that a transaction that adds one comes either before, and is
        seen, or after, and resets the expiry time itself.
        """
        due = self._env.clock() + self._env.limits.object_grace_s * SECOND
        with self._env.engine.write() as tx:
            tx.lock(f"object:{object_id}")
            row, error = tx.get("objects", id=object_id), _expiry_error(tx, object_id)
            if row is None or error is None:
                return None
            expires = row["expires"]
            tx.update("objects", equals(id=object_id), {"expires": expires or due})
            referenced = _is_referenced(tx, object_id)
            if referenced:
                tx.update("objects", equals(id=object_id), {"expires": None})
        return error if referenced == (expires is not None) else None

    def _recheck_missing_object(self, object_id: str) -> Iterator[Finding]:
        with self._env.engine.read() as tx:
            referenced = _is_referenced(tx, object_id) or _any_row(tx, "objects", "id", init_object_id=object_id)
            row = tx.get("objects", id=object_id)
        if referenced and row is None:
            yield Finding(MISSING_OBJECT, "segments or objects refer to it, but it does not exist", object_id)

    def _recheck_instances(self, object_id: str) -> Iterator[Finding]:
        with self._env.engine.read() as tx:
            row = tx.get("objects", id=object_id)
            has_instance = _any_row(tx, "instances", "instance", object_id=object_id)
        if row is not None and row["expires"] is None and not has_instance:
            yield Finding(MISSING_BYTES, "the object has no instances", object_id)


def _count_now(tx: Reader, object_id: str, flow_id: str) -> tuple[int, int]:
    """Return how many segments of the flow refer to the object, and how many are recorded."""
    row = tx.get("objects", id=object_id)
    counted = _count_rows(tx, "segments", "start_ns", flow_id=flow_id, object_id=object_id)
    if row is None or row["state"] == "init":
        counted += _count_rows(tx, "segments", "start_ns", flow_id=flow_id, init_object_id=object_id)
    recorded = tx.get("object_refs", object_id=object_id, flow_id=flow_id)
    return counted, recorded["segments"] if recorded else 0


def _expiry_error(tx: Reader, object_id: str) -> str | None:
    """Return what is wrong with the expiry time of an object, if anything."""
    row = tx.get("objects", id=object_id)
    if row is None or row["state"] == "allocated":
        return None if row is None or row["expires"] is not None else "the object is allocated and never expires"
    referenced = _is_referenced(tx, object_id)
    if row["expires"] is None and not referenced and not _any_row(tx, "object_refs", "flow_id", object_id=object_id):
        return "nothing refers to the object, but it never expires"
    return "segments refer to the object, but it expires" if referenced and row["expires"] is not None else None


def _is_referenced(tx: Reader, object_id: str) -> bool:
    """Whether a segment refers to the object. For single objects only: there is no index of init objects."""
    if _any_row(tx, "segments", "flow_id", object_id=object_id):
        return True
    row = tx.get("objects", id=object_id)
    is_media = row is not None and row["state"] == "media"
    return not is_media and _any_row(tx, "segments", "flow_id", init_object_id=object_id)


def _any_row(tx: Reader, table: str, column: str, **values: Any) -> bool:
    return bool(tx.select(table, equals(**values), limit=1, columns=[column]))


def _count_rows(tx: Reader, table: str, column: str, **values: Any) -> int:
    """Count the rows with these values. column: distinguishes these rows from each other."""
    count, after, limit = 0, None, _ROWS_PER_COUNT_QUERY
    while True:
        rows = tx.select(table, equals(**values), order=(column,), after=after, limit=limit, columns=[column])
        count += len(rows)
        if len(rows) < limit:
            return count
        after = [rows[-1][column]]


def _existing_values(tx: Reader, table: str, column: str, values: Iterable[str]) -> set[str]:
    """Return those of `values` that occur in a column."""
    found: set[str] = set()
    for batch in batches(values):
        found |= {row[column] for row in tx.select(table, [In(column, batch)], columns=[column])}
    return found
