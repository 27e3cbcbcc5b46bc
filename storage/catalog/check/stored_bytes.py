"""The part of a check that compares the instances in the catalogue with the bytes in the stores, in both directions."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from storage.catalog.check.findings import (
    MISSING_BYTES,
    UNCHECKED_BACKEND,
    UNKNOWN_BYTES,
    Finding,
    Progress,
    batches,
    pages,
)
from storage.catalog.check.scratch_index import ScratchIndex
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.job_kinds import COPY
from storage.catalog.objects.byte_removal import schedule_removal
from storage.catalog.retry import retried
from storage.errors import Unavailable
from storage.media.names import split_name, stored_name
from storage.media.object_store import DamagedObject, ObjectStore
from storage.tables.conditions import Condition, In, equals
from storage.tables.transaction import Reader, Row

_CONCURRENT_STATS = 16


class StoredBytes:
    def __init__(
        self, env: Environment, stores: dict[str, ObjectStore], index: ScratchIndex, repair: bool, progress: Progress
    ) -> None:
        self._env = env
        self._stores = stores
        self._index = index
        self._repair = repair
        self._progress = progress
        self._failed: dict[str, str] = {}
        limits = env.limits
        self._settled_before = env.clock() - (limits.min_object_timeout_s + limits.object_grace_s) * SECOND
        """Bytes and instances created later may belong to an upload in progress."""

    def unknown_bytes(self) -> Iterator[Finding]:
        """Find bytes that the catalogue does not know. Call it before `missing_bytes`: it also fills the index."""
        for storage_id, store in self._stores.items():
            seen = 0
            self._progress(f"objects on backend {storage_id}", seen)
            for names in self._stored_names(storage_id, store):
                self._index.add_stored(storage_id, [split_name(name)[0] for name in names])
                with self._env.engine.read() as tx:
                    unknown = _unknown(tx, storage_id, names)
                settled = [name for name in unknown if self._is_settled(storage_id, store, name)]
                yield from self._report_unknown(storage_id, settled)
                seen += len(names)
                self._progress(f"objects on backend {storage_id}", seen)

    def missing_bytes(self, *, whole: bool) -> Iterator[Finding]:
        """Find instances of objects in use whose bytes are missing or damaged, and backends that cannot be checked.

        whole: also report storage backends that are not configured.
        """
        not_configured: Counter[str] = Counter()
        read = 0
        self._progress("instances", read)
        with ThreadPoolExecutor(_CONCURRENT_STATS, thread_name_prefix="stat") as threads:
            for rows in pages(self._env, "instances"):
                absent = []
                for row in rows:
                    storage_id = row["storage_id"]
                    if storage_id is None:
                        continue
                    if storage_id not in self._env.stores:
                        not_configured[storage_id] += 1
                    elif self._is_absent(row):
                        absent.append(row)
                missing = threads.map(self._is_missing, absent)
                yield from self._recheck_missing([row for row, gone in zip(absent, missing, strict=True) if gone])
                read += len(rows)
                self._progress("instances", read)
        for storage_id, reason in self._failed.items():
            yield Finding(UNCHECKED_BACKEND, reason, storage_id=storage_id)
        for storage_id, count in not_configured.items() if whole else ():
            detail = f"the storage backend is not configured, but {count} instances are recorded on it"
            yield Finding(UNCHECKED_BACKEND, detail, storage_id=storage_id)

    def _stored_names(self, storage_id: str, store: ObjectStore) -> Iterator[list[str]]:
        """Yield the names of all stored objects, in batches, up to a failure of the store."""
        try:
            yield from batches(store.object_ids())
        except Unavailable as error:
            self._failed[storage_id] = error.message

    def _is_settled(self, storage_id: str, store: ObjectStore, name: str) -> bool:
        """Whether the store has bytes that are too old to belong to an upload in progress."""
        try:
            stored = store.stat(name)
        except Unavailable as error:
            self._failed[storage_id] = error.message
            return False
        return stored is not None and (stored.modified is None or stored.modified <= self._settled_before)

    def _is_absent(self, row: Row) -> bool:
        """Whether the bytes of an instance should have been listed by its store but were not."""
        storage_id = row["storage_id"]
        if storage_id not in self._stores or storage_id in self._failed or row["created"] > self._settled_before:
            return False
        return not self._index.is_stored(storage_id, row["object_id"])

    def _is_missing(self, row: Row) -> bool:
        """Whether the store says that the bytes of an instance do not exist, or are damaged."""
        try:
            return self._stores[row["storage_id"]].stat(stored_name(row["object_id"], row["extension"])) is None
        except DamagedObject:
            return True
        except Unavailable as error:
            self._failed[row["storage_id"]] = error.message
            return False

    def _report_unknown(self, storage_id: str, names: Sequence[str]) -> Iterator[Finding]:
        if not names:
            return
        for name in self._schedule_removal(storage_id, names) if self._repair else names:
            detail = "the catalogue does not know these bytes"
            yield Finding(UNKNOWN_BYTES, detail, split_name(name)[0], storage_id, repaired=self._repair)

    @retried
    def _schedule_removal(self, storage_id: str, names: Sequence[str]) -> list[str]:
        """Schedule the removal of bytes that are still unknown, and return their names."""
        with self._env.engine.write() as tx:
            tx.lock(*(f"object:{split_name(name)[0]}" for name in names))
            unknown = _unknown(tx, storage_id, names)
            schedule_removal(tx, self._env.clock(), [(storage_id, name) for name in unknown])
        return unknown

    def _recheck_missing(self, rows: Sequence[Row]) -> Iterator[Finding]:
        """Report the instances in use whose bytes are missing.

        The store is asked again between two reads of the catalogue, both of which must find the instance in use. So
        bytes that arrived or were deleted meanwhile are not reported.
        """
        missing = [row for row in self._in_use(rows) if self._is_missing(row)]
        for row in self._in_use(missing):
            detail = "its bytes are missing or damaged, and cannot be restored from here"
            yield Finding(MISSING_BYTES, detail, row["object_id"], row["storage_id"])

    def _in_use(self, rows: Sequence[Row]) -> list[Row]:
        """Return those of the instances that still exist and belong to objects in use."""
        if not rows:
            return []
        ids = sorted({row["object_id"] for row in rows})
        with self._env.engine.read() as tx:
            instances = tx.select("instances", [In("object_id", ids)], columns=["object_id", "storage_id", "created"])
            objects = tx.select("objects", [In("id", ids)], columns=["id", "state", "expires"])
        existing = {(row["object_id"], row["storage_id"], row["created"]) for row in instances}
        used = {row["id"] for row in objects if row["state"] != "allocated" and row["expires"] is None}
        return [
            row
            for row in rows
            if row["object_id"] in used and (row["object_id"], row["storage_id"], row["created"]) in existing
        ]


def _unknown(tx: Reader, storage_id: str, names: Sequence[str]) -> list[str]:
    """Return the names on a storage backend for which the catalogue has no copy job, instance or scheduled removal.

    These are read in the order in which bytes pass from one to the next, so that none is missed in between.
    """
    ids = list({split_name(name)[0] for name in names})
    keys = {f"{storage_id} {object_id}": object_id for object_id in ids}
    copies = tx.select("jobs", [*equals(kind=COPY), In("key", list(keys))], columns=["key"])
    known = {keys[row["key"]] for row in copies}
    where: list[Condition] = [In("object_id", ids), *equals(storage_id=storage_id)]
    known |= {row["object_id"] for row in tx.select("instances", where, columns=["object_id"])}
    known |= {row["object_id"] for row in tx.select("garbage", where, columns=["object_id"])}
    return [name for name in names if split_name(name)[0] not in known]
