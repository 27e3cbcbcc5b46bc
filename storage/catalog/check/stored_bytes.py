"""The part of a check that compares the instances of the catalogue with the bytes of the stores, in both directions."""

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
from storage.catalog.check.seen import Seen
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.jobs import COPY
from storage.catalog.objects.byte_removal import schedule_removal
from storage.catalog.retry import retried
from storage.errors import Unavailable
from storage.media.object_store import Damaged, ObjectStore
from storage.tables.conditions import Condition, In, equals
from storage.tables.engine import Reader, Row

_STATS_AT_ONCE = 16


class StoredBytes:
    def __init__(
        self, env: Environment, stores: dict[str, ObjectStore], spool: Seen, repair: bool, progress: Progress
    ) -> None:
        self._env = env
        self._stores = stores
        self._spool = spool
        self._repair = repair
        self._progress = progress
        self._failed: dict[str, str] = {}
        limits = env.limits
        self._young = env.clock() - (limits.min_object_timeout_s + limits.object_grace_s) * SECOND
        """What was made later may still be on its way."""

    def unknown_bytes(self) -> Iterator[Finding]:
        for storage_id, store in self._stores.items():
            seen = 0
            self._progress(f"objects on backend {storage_id}", seen)
            for ids in self._listed(storage_id, store):
                self._spool.add_stored(storage_id, ids)
                with self._env.engine.read() as tx:
                    unknown = _unknown(tx, storage_id, ids)
                old = [object_id for object_id in unknown if self._is_old(storage_id, store, object_id)]
                yield from self._tell_unknown(storage_id, old)
                seen += len(ids)
                self._progress(f"objects on backend {storage_id}", seen)

    def missing_bytes(self, *, whole: bool) -> Iterator[Finding]:
        not_configured: Counter[str] = Counter()
        read = 0
        self._progress("instances", read)
        with ThreadPoolExecutor(_STATS_AT_ONCE, thread_name_prefix="stat") as threads:
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
                gone = threads.map(self._is_gone, absent)
                yield from self._tell_missing([row for row, is_gone in zip(absent, gone, strict=True) if is_gone])
                read += len(rows)
                self._progress("instances", read)
        for storage_id, reason in self._failed.items():
            yield Finding(UNCHECKED_BACKEND, reason, storage_id=storage_id)
        for storage_id, count in not_configured.items() if whole else ():
            detail = f"not configured here, and {count} instances are said to be there"
            yield Finding(UNCHECKED_BACKEND, detail, storage_id=storage_id)

    def _listed(self, storage_id: str, store: ObjectStore) -> Iterator[list[str]]:
        """The ids of what is stored, in batches; they end early where the store fails."""
        try:
            yield from batches(store.object_ids())
        except Unavailable as error:
            self._failed[storage_id] = error.message

    def _is_old(self, storage_id: str, store: ObjectStore, object_id: str) -> bool:
        """Whether there are bytes that came before the time in which uploads are under way."""
        try:
            stored = store.stat(object_id)
        except Unavailable as error:
            self._failed[storage_id] = error.message
            return False
        return stored is not None and (stored.modified is None or stored.modified <= self._young)

    def _is_absent(self, row: Row) -> bool:
        if row["storage_id"] not in self._stores or row["storage_id"] in self._failed or row["created"] > self._young:
            return False
        return not self._spool.is_stored(row["storage_id"], row["object_id"])

    def _is_gone(self, row: Row) -> bool:
        try:
            return self._stores[row["storage_id"]].stat(row["object_id"]) is None
        except Damaged:
            return True
        except Unavailable as error:
            self._failed[row["storage_id"]] = error.message
            return False

    def _tell_unknown(self, storage_id: str, ids: Sequence[str]) -> Iterator[Finding]:
        if not ids:
            return
        removed = self._throw_away(storage_id, ids) if self._repair else ()
        for object_id in removed if self._repair else ids:
            detail = "the catalogue does not know these bytes"
            yield Finding(UNKNOWN_BYTES, detail, object_id, storage_id, repaired=self._repair)

    @retried
    def _throw_away(self, storage_id: str, ids: Sequence[str]) -> list[str]:
        """Have the bytes removed by the job for that; those that are still unknown now."""
        with self._env.engine.write() as tx:
            tx.lock(*(f"object:{object_id}" for object_id in ids))
            unknown = _unknown(tx, storage_id, ids)
            schedule_removal(tx, self._env.clock(), [(storage_id, object_id) for object_id in unknown])
        return unknown

    def _tell_missing(self, rows: Sequence[Row]) -> Iterator[Finding]:
        """Those whose bytes are not there although they are still to be: what arrived or was deleted meanwhile is no
        fault. So bytes are looked for once more between two looks at the catalogue, both of which must want them."""
        gone = [row for row in self._in_use(rows) if self._is_gone(row)]
        for row in self._in_use(gone):
            detail = "its bytes are not there, or are damaged; nothing here can bring them back"
            yield Finding(MISSING_BYTES, detail, row["object_id"], row["storage_id"])

    def _in_use(self, rows: Sequence[Row]) -> list[Row]:
        """Those of these instances that are still there, of objects that something names."""
        if not rows:
            return []
        ids = sorted({row["object_id"] for row in rows})
        with self._env.engine.read() as tx:
            places = tx.select("instances", [In("object_id", ids)], columns=["object_id", "storage_id", "created"])
            objects = tx.select("objects", [In("id", ids)], columns=["id", "state", "expires"])
        still = {(place["object_id"], place["storage_id"], place["created"]) for place in places}
        used = {row["id"] for row in objects if row["state"] != "allocated" and row["expires"] is None}
        return [
            row
            for row in rows
            if row["object_id"] in used and (row["object_id"], row["storage_id"], row["created"]) in still
        ]


def _unknown(tx: Reader, storage_id: str, ids: Sequence[str]) -> list[str]:
    """Objects of a backend that no row tells of: neither a copy under way, nor an instance, nor what is being removed;
    asked in the order in which bytes go through these, so that none slips through."""
    keys = {f"{storage_id} {object_id}": object_id for object_id in ids}
    copies = tx.select("jobs", [*equals(kind=COPY), In("key", list(keys))], columns=["key"])
    known = {keys[row["key"]] for row in copies}
    here: list[Condition] = [In("object_id", ids), *equals(storage_id=storage_id)]
    for table in ("instances", "garbage"):
        known |= {row["object_id"] for row in tx.select(table, here, columns=["object_id"])}
    return [object_id for object_id in ids if object_id not in known]
