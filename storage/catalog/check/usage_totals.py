"""The part of a check that compares the usage of principals with the instances that are charged to them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

from storage.catalog.check.findings import UNCHARGED_BYTES, WRONG_USAGE, Finding, Progress, pages
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.objects.instances import instance_name
from storage.catalog.retry import retried
from storage.catalog.usage import Charge, charge, usage_lock
from storage.errors import Unavailable
from storage.media.object_store import DamagedObject
from storage.tables.conditions import In, equals
from storage.tables.rows import InstanceRow, UsageRow
from storage.tables.transaction import Reader

_PAGE = 1000
_CHARGES = 100
"""Instances that are charged in one transaction."""
_CONCURRENT_STATS = 16


class UsageTotals:
    def __init__(self, env: Environment, repair: bool, progress: Progress) -> None:
        self._env = env
        self._repair = repair
        self._progress = progress
        limits = env.limits
        self._settled_before = env.clock() - (limits.min_object_timeout_s + limits.object_grace_s) * SECOND
        """Instances created later may belong to an upload in progress."""

    def compare(self) -> Iterator[Finding]:
        """Find principals whose recorded usage is not the sum of what their instances are charged.

        Both are read at one moment, so that a repair can add the difference to whatever the usage is by then.
        """
        self._progress("usage", 0)
        with self._env.engine.read() as tx:
            recorded = {row["principal"]: row for row in tx.select("usage")}
            counted = self._count(tx) if recorded else Counter[str]()
        for principal in sorted(recorded.keys() | counted.keys()):
            row: UsageRow = recorded.get(principal) or {"principal": principal, "bytes": 0, "recounted": 0}
            missing = counted[principal] - row["bytes"]
            if missing and (not self._repair or self._correct(row, missing)):
                detail = f"{counted[principal]} bytes are charged to {principal}, {row['bytes']} are recorded"
                yield Finding(WRONG_USAGE, detail, repaired=self._repair)

    def find_uncharged(self) -> Iterator[Finding]:
        """Find bytes that are charged to nobody, although there is a quota and their principal is known.

        They were stored before there was a quota, without verification, or by a process that was killed meanwhile.
        """
        if self._env.stored_bytes_quota is None:
            return
        objects, bytes_ = Counter[str](), Counter[str]()
        read = 0
        with ThreadPoolExecutor(_CONCURRENT_STATS, thread_name_prefix="stat") as threads:
            for page in pages(self._env, "instances"):
                rows = cast(list[InstanceRow], page)
                unsettled = [row for row in rows if row["charged_to"] is None and row["storage_id"] is not None]
                owned = self._owned([row for row in unsettled if row["created"] <= self._settled_before])
                sizes = threads.map(self._size, [row for row, _ in owned])
                charges = [
                    Charge(row["object_id"], row["instance"], owner, size)
                    for (row, owner), size in zip(owned, sizes, strict=True)
                    if size is not None
                ]
                for each in charges:
                    objects[each.principal] += 1
                    bytes_[each.principal] += each.size
                if self._repair:
                    for start in range(0, len(charges), _CHARGES):
                        self._charge(charges[start : start + _CHARGES])
                read += len(rows)
                self._progress("instances", read)
        for principal, count in sorted(objects.items()):
            detail = f"{count} instances of objects of {principal}, with {bytes_[principal]} bytes, are not charged"
            yield Finding(UNCHARGED_BYTES, detail, repaired=self._repair)

    def _count(self, tx: Reader) -> Counter[str]:
        counted = Counter[str]()
        key, read = ("object_id", "instance"), 0
        after: list[str] | None = None
        while True:
            columns = [*key, "charged_to", "charged_bytes"]
            rows = tx.select("instances", order=key, after=after, limit=_PAGE, columns=columns)
            for row in rows:
                if row["charged_to"] is not None:
                    counted[row["charged_to"]] += row["charged_bytes"] or 0
            read += len(rows)
            self._progress("usage", read)
            if len(rows) < _PAGE:
                return counted
            after = [rows[-1]["object_id"], rows[-1]["instance"]]

    @retried
    def _correct(self, found: UsageRow, missing: int) -> bool:
        """Add what is missing. Returns False if another check has done so meanwhile."""
        principal = found["principal"]
        with self._env.engine.write() as tx:
            tx.lock(usage_lock(principal))
            row = tx.get("usage", principal=principal)
            if row is None:
                tx.insert("usage", [{"principal": principal, "bytes": missing, "recounted": self._env.clock()}])
            elif row["recounted"] != found["recounted"]:
                return False
            else:
                corrected = {"bytes": row["bytes"] + missing, "recounted": self._env.clock()}
                tx.update("usage", equals(principal=principal), corrected)
        return True

    def _owned(self, rows: Sequence[InstanceRow]) -> list[tuple[InstanceRow, str]]:
        """The instances whose objects have an owner, with that."""
        if not rows:
            return []
        ids = sorted({row["object_id"] for row in rows})
        with self._env.engine.read() as tx:
            objects = tx.select("objects", [In("id", ids)], columns=["id", "owner"])
        owners = {row["id"]: row["owner"] for row in objects if row["owner"] is not None}
        return [(row, owner) for row in rows if (owner := owners.get(row["object_id"])) is not None]

    def _size(self, row: InstanceRow) -> int | None:
        """The bytes of an instance; None if they are not there or cannot be reached now."""
        if row["size"] is not None:
            return row["size"]
        store = self._env.stores.get(row["storage_id"] or "")
        try:
            stored = store.stat(instance_name(row)) if store else None
        except (DamagedObject, Unavailable):
            return None
        return stored.size if stored else None

    @retried
    def _charge(self, charges: Sequence[Charge]) -> None:
        with self._env.engine.write() as tx:
            rows = tx.select("instances", [In("object_id", sorted({each.object_id for each in charges}))])
            still = {(row["object_id"], row["instance"]) for row in rows if row["charged_to"] is None}
            uncharged = [each for each in charges if (each.object_id, each.storage_id) in still]
            charge(tx, self._env, uncharged, enforce=False)
