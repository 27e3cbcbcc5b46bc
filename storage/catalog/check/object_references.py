"""The part of a check that compares what names objects with what is recorded of that."""

from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby
from typing import Any

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
from storage.catalog.check.seen import Seen
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.retry import retried
from storage.tables.conditions import In, equals
from storage.tables.engine import Reader

_AT_ONCE = 1000
"""Rows that are counted with one query."""


class ObjectNames:
    def __init__(self, env: Environment, spool: Seen, repair: bool, progress: Progress) -> None:
        self._env = env
        self._spool = spool
        self._repair = repair
        self._progress = progress

    def count(self) -> None:
        """Count, for each object and flow, the segments that name it."""
        read = 0
        self._progress("segments", read)
        for rows in pages(self._env, "segments", ["object_id", "init_object_id"]):
            counts: Counter[tuple[str, str]] = Counter()
            for row in rows:
                for object_id in (row["object_id"], row["init_object_id"]):
                    if object_id is not None:
                        counts[object_id, row["flow_id"]] += 1
            self._spool.add_named(counts)
            read += len(rows)
            self._progress("segments", read)

    def compare(self) -> Iterator[Finding]:
        """Hold the counts against those recorded, and what is named against the objects."""
        missing: str | None = None
        for batch in batches(self._counts()):
            with self._env.engine.read() as tx:
                rows = tx.select("objects", [In("id", sorted({each[0] for each in batch}))], columns=["id", "expires"])
            expires = {row["id"]: row["expires"] for row in rows}
            for object_id, flow_id, counted, recorded in batch:
                if counted != recorded:
                    yield from self._count_finding(object_id, flow_id)
                if counted and object_id not in expires:
                    if object_id != missing:
                        missing = object_id
                        yield from self._missing_object(object_id)
                elif counted and expires[object_id] is not None:
                    yield from self._expiry_finding(object_id)

    def objects(self) -> Iterator[Finding]:
        """Look for objects that nothing names and that are kept all the same, or that are nowhere."""
        read = 0
        self._progress("objects", read)
        for rows in pages(self._env, "objects", ["state", "expires", "init_object_id"]):
            kept = {row["id"] for row in rows if row["expires"] is None}
            inits = {row["init_object_id"] for row in rows if row["expires"] is None} - {None}
            with self._env.engine.read() as tx:
                there = _values(tx, "objects", "id", inits)
                placed = _values(tx, "instances", "object_id", kept)
            for object_id in sorted(kept - self._spool.which_named(kept)):
                yield from self._expiry_finding(object_id)
            for init_id in sorted(inits - there):
                yield from self._missing_object(init_id)
            for object_id in sorted(kept - placed):
                yield from self._placeless(object_id)
            read += len(rows)
            self._progress("objects", read)

    def _counts(self) -> Iterator[tuple[str, str, int, int]]:
        """Object id, flow id, number of segments counted, and recorded; where there are any of either."""
        counted = ((object_id, flow_id, segments, 0) for object_id, flow_id, segments in self._spool.named())
        recorded = (
            (row["object_id"], row["flow_id"], 0, row["segments"])
            for rows in pages(self._env, "object_refs", ["segments"])
            for row in rows
        )
        for (object_id, flow_id), group in groupby(merge(counted, recorded), key=lambda each: (each[0], each[1])):
            each = list(group)
            yield object_id, flow_id, sum(part[2] for part in each), sum(part[3] for part in each)

    def _count_finding(self, object_id: str, flow_id: str) -> Iterator[Finding]:
        with self._env.engine.read() as tx:
            counts = _counts_now(tx, object_id, flow_id)
        if counts[0] == counts[1]:
            return
        if self._repair:
            counts = self._set_count(object_id, flow_id)
            if counts[0] == counts[1]:
                return
        detail = f"{counts[0]} segments name it, {counts[1]} are recorded"
        yield Finding(WRONG_COUNT, detail, object_id, flow_id=flow_id, repaired=self._repair)

    @retried
    def _set_count(self, object_id: str, flow_id: str) -> tuple[int, int]:
        with self._env.engine.write() as tx:
            tx.lock(f"flow:{flow_id}")
            counted, recorded = _counts_now(tx, object_id, flow_id)
            if counted != recorded:
                tx.delete("object_refs", equals(object_id=object_id, flow_id=flow_id))
                if counted:
                    tx.insert("object_refs", [{"object_id": object_id, "flow_id": flow_id, "segments": counted}])
        return counted, recorded

    def _expiry_finding(self, object_id: str) -> Iterator[Finding]:
        with self._env.engine.read() as tx:
            wrong = _wrong_expiry(tx, object_id)
        if wrong is not None and self._repair:
            wrong = self._set_expiry(object_id)
        if wrong is not None:
            yield Finding(WRONG_EXPIRY, wrong, object_id, repaired=self._repair)

    @retried
    def _set_expiry(self, object_id: str) -> str | None:
        """As references.remove does: first the row is changed, so that whoever takes the object up again comes before
        or after, then it is seen whether anything names it."""
        due = self._env.clock() + self._env.limits.object_grace_s * SECOND
        with self._env.engine.write() as tx:
            tx.lock(f"object:{object_id}")
            row, wrong = tx.get("objects", id=object_id), _wrong_expiry(tx, object_id)
            if row is None or wrong is None:
                return None
            expires = row["expires"]
            tx.update("objects", equals(id=object_id), {"expires": expires or due})
            named = _is_named(tx, object_id)
            if named:
                tx.update("objects", equals(id=object_id), {"expires": None})
        return wrong if named == (expires is not None) else None

    def _missing_object(self, object_id: str) -> Iterator[Finding]:
        with self._env.engine.read() as tx:
            named = _is_named(tx, object_id) or _first(tx, "objects", "id", init_object_id=object_id)
            there = tx.get("objects", id=object_id)
        if named and there is None:
            yield Finding(MISSING_OBJECT, "segments or objects name it, and it is not there", object_id)

    def _placeless(self, object_id: str) -> Iterator[Finding]:
        with self._env.engine.read() as tx:
            row = tx.get("objects", id=object_id)
            placed = _first(tx, "instances", "instance", object_id=object_id)
        if row is not None and row["expires"] is None and not placed:
            yield Finding(MISSING_BYTES, "it has no instance at all", object_id)


def _counts_now(tx: Reader, object_id: str, flow_id: str) -> tuple[int, int]:
    """How many segments of the flow name the object, and how many are recorded."""
    row = tx.get("objects", id=object_id)
    counted = _count(tx, "segments", "start_ns", flow_id=flow_id, object_id=object_id)
    if row is None or row["state"] == "init":
        counted += _count(tx, "segments", "start_ns", flow_id=flow_id, init_object_id=object_id)
    recorded = tx.get("object_refs", object_id=object_id, flow_id=flow_id)
    return counted, recorded["segments"] if recorded else 0


def _wrong_expiry(tx: Reader, object_id: str) -> str | None:
    """What is wrong with the time at which an object is to be collected, if anything is."""
    row = tx.get("objects", id=object_id)
    if row is None or row["state"] == "allocated":
        return None if row is None or row["expires"] is not None else "allocated for ever"
    named = _is_named(tx, object_id)
    if row["expires"] is None and not named and not _first(tx, "object_refs", "flow_id", object_id=object_id):
        return "nothing names it, and it is kept for ever"
    return "segments name it, and it is to be collected" if named and row["expires"] is not None else None


def _is_named(tx: Reader, object_id: str) -> bool:
    """Whether a segment names the object. Asked of single objects: for init objects there is no index."""
    if _first(tx, "segments", "flow_id", object_id=object_id):
        return True
    row = tx.get("objects", id=object_id)
    is_media = row is not None and row["state"] == "media"
    return not is_media and _first(tx, "segments", "flow_id", init_object_id=object_id)


def _first(tx: Reader, table: str, column: str, **values: Any) -> bool:
    return bool(tx.select(table, equals(**values), limit=1, columns=[column]))


def _count(tx: Reader, table: str, column: str, **values: Any) -> int:
    """The number of rows, told apart by a column."""
    count, after = 0, None
    while True:
        rows = tx.select(table, equals(**values), order=(column,), after=after, limit=_AT_ONCE, columns=[column])
        count += len(rows)
        if len(rows) < _AT_ONCE:
            return count
        after = [rows[-1][column]]


def _values(tx: Reader, table: str, column: str, values: Iterable[str]) -> set[str]:
    """Those of `values` that some row has."""
    found: set[str] = set()
    for some in batches(values):
        found |= {row[column] for row in tx.select(table, [In(column, some)], columns=[column])}
    return found
