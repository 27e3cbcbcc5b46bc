"""The bytes of media objects, of which playback reads a few to tell players what they hold."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

from storage.catalog.environment import Environment
from storage.catalog.objects.get_urls import GetUrlFilter, read_instances
from storage.catalog.objects.instances import instance_name
from storage.errors import NotFound, Unavailable
from storage.media.object_store import ObjectStore
from storage.tables.rows import InstanceRow
from storage.tables.transaction import Reader
from storage.waiting import Wait, about_to_wait_for_others

READING_S: Final = 10.0
"""How long stores may take for one playlist, each object of which is a wait of its own."""
PROCESSOR_S: Final = 3.0
"""How much processor time one playlist may take to read media."""
_BATCH: Final = 500


class TookLong(Unavailable):
    """Media takes too long to read."""


class Deadline:
    """When a playlist has read media for READING_S, or for PROCESSOR_S of the thread that makes it."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._processor_begin = time.thread_time()

    def has_used(self, part: float) -> bool:
        """Whether more than a part of the time has passed: 1 is all of it."""
        return (
            time.monotonic() > self._begin + part * READING_S
            or time.thread_time() > self._processor_begin + part * PROCESSOR_S
        )

    def check(self, what: str) -> None:
        """Raises: TookLong if it has passed. what: is being read."""
        if self.has_used(1):
            raise TookLong(f"the media of {what} takes long to read; what has been read is kept: try again")


@dataclass(frozen=True, slots=True)
class Instances:
    """Instances of objects on storage backends that a caller may read, by object id.

    backends: as for GetUrlFilter, those on which they may be.
    """

    rows: dict[str, InstanceRow]
    backends: frozenset[str] | None = None


def read_stored_instances(tx: Reader, env: Environment, object_ids: Iterable[str], filters: GetUrlFilter) -> Instances:
    """One instance of each object that has one in a store of this service."""
    ids = list(dict.fromkeys(object_ids))
    readable = {id_ for id_, store in env.stores.items() if filters.passes_store(store)}
    rows = {
        row["object_id"]: row
        for start in range(0, len(ids), _BATCH)
        for row in read_instances(tx, env, ids[start : start + _BATCH], filters)
        if row["storage_id"] in readable
    }
    return Instances(rows, filters.backends)


@contextmanager
def opened(env: Environment, instances: Instances, object_id: str, wait: Wait = "lookup") -> Iterator[BinaryIO | None]:
    """The bytes of an object, from the first on; None if there are none in a store of this service.

    May raise WouldWaitForOthers (storage.waiting).
    """
    found = store_of(env, instances, object_id, wait)
    if found is None:
        yield None
        return
    try:
        content = found[0].open(found[1])
    except NotFound:
        yield None
        return
    with closing(content):
        yield content


def store_of(
    env: Environment, instances: Instances, object_id: str, wait: Wait = "lookup"
) -> tuple[ObjectStore, str] | None:
    """The store of an object, from which this thread may read now, and its name there; None if it is in none."""
    row = instances.rows.get(object_id)
    if row is None or row["storage_id"] is None:
        return None
    store = env.stores[row["storage_id"]]
    if store.is_remote:
        about_to_wait_for_others(wait)
    return store, instance_name(row)
