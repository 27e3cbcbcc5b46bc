"""Garbage collection: the removal of objects that have no references and have expired (OBJ-LIFE-*)."""

from storage.catalog.environment import Environment
from storage.catalog.objects.byte_removal import schedule_removal
from storage.catalog.retry import retried
from storage.errors import Contended
from storage.tables.conditions import Compare, In


class GarbageCollection:
    """Removes expired objects from the catalogue, and schedules the removal of their bytes."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    @retried
    def collect_batch(self) -> bool:
        """Remove one batch of expired objects. Returns False if there were none."""
        now = self._env.clock()
        expired = Compare("expires", "<=", now)
        with self._env.engine.read_once() as tx:
            limit = self._env.limits.garbage_batch
            ids = [row["id"] for row in tx.select("objects", [expired], limit=limit, columns=["id"])]
        if not ids:
            return False
        with self._env.engine.write() as tx:
            if tx.delete("objects", [In("id", ids), expired]) != len(ids):
                raise Contended("a new segment has just used an expired object again; try again")
            instances = tx.select("instances", [In("object_id", ids)])
            places = [(row["storage_id"], row["object_id"]) for row in instances if row["storage_id"] is not None]
            tx.delete("instances", [In("object_id", ids)])
            schedule_removal(tx, now, places)
        return True
