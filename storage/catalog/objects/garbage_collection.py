"""Garbage collection: the removal of objects that have no references and have expired (OBJ-LIFE-*)."""

from storage.catalog.environment import Environment
from storage.catalog.objects.byte_removal import schedule_removal
from storage.catalog.objects.instances import instance_name
from storage.catalog.objects.lifetime import allocated_until
from storage.catalog.retry import retried
from storage.catalog.usage import discharge
from storage.errors import Contended
from storage.tables.conditions import Compare, In
from storage.tables.rows import ObjectRow


class GarbageCollection:
    """Removes expired objects from the catalogue, and schedules the removal of their bytes."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    @retried
    def collect_batch(self, now: int) -> bool:
        """Remove one batch of the objects that have expired by `now`. Returns False if there were none."""
        expired = Compare("expires", "<=", now)
        with self._env.engine.read_once() as tx:
            limit, columns = self._env.limits.garbage_batch, ["id", "created", "content_type"]
            rows = tx.select("objects", [expired], limit=limit, columns=columns)
        if not rows:
            return False
        writable = {row["id"]: until for row in rows if (until := self._writable_until(row)) > now}
        ids = [row["id"] for row in rows if row["id"] not in writable]
        with self._env.engine.write() as tx:
            for until in set(writable.values()):
                postponed = [object_id for object_id, each in writable.items() if each == until]
                tx.update("objects", [In("id", postponed), expired], {"expires": until})
            if tx.delete("objects", [In("id", ids), expired]) != len(ids):
                raise Contended("a new segment has just used an expired object again; try again")
            instances = tx.select("instances", [In("object_id", ids)])
            places = [(row["storage_id"], instance_name(row)) for row in instances if row["storage_id"] is not None]
            tx.delete("instances", [In("object_id", ids)])
            schedule_removal(tx, now, places)
            discharge(tx, instances)
        return True

    def _writable_until(self, row: ObjectRow) -> int:
        """Until when clients may write an object, however short its life, without this server knowing of it.

        If it were removed earlier, an upload to its URL could leave bytes that no object owns, or bring them into a
        new object with the same id.
        """
        if row["content_type"] is None:  # it was never allocated
            return 0
        tails = [store for store in self._env.stores.values() if store.upload_tail_s]
        return max((allocated_until(self._env.limits, row["created"], store) for store in tails), default=0)
