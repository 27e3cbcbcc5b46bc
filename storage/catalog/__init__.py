"""The rules of TAMS: what may be written, what follows from it, and how it is found again."""

from collections.abc import Callable, Mapping

from storage.catalog.allocation import Allocation
from storage.catalog.credentials import Credentials
from storage.catalog.deletions import Deletions
from storage.catalog.environment import Environment, Limits
from storage.catalog.flows import Flows
from storage.catalog.objects import Objects
from storage.catalog.profiles import Profiles
from storage.catalog.segments import Segments
from storage.catalog.service import Service
from storage.catalog.sources import Sources
from storage.media.object_store import ObjectStore
from storage.tables.engine import Engine

__all__ = ["Catalog", "Limits"]


class Catalog:
    """Everything the service keeps, over one engine and any number of stores.

    stores: by backend id, the default backend first. clock: microseconds since 1970; the system's unless given.
    """

    def __init__(
        self,
        engine: Engine,
        stores: Mapping[str, ObjectStore],
        limits: Limits | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        given = {"clock": clock} if clock else {}
        self._env = Environment(engine, stores, limits or Limits(), **given)
        self.service = Service(self._env)
        self.credentials = Credentials(engine)
        self.profiles = Profiles(self._env)
        self.sources = Sources(self._env)
        self.flows = Flows(self._env)
        self.segments = Segments(self._env)
        self.allocation = Allocation(self._env)
        self.objects = Objects(self._env)
        self.deletions = Deletions(self._env)

    def sweep(self) -> bool:
        """Do one helping of the work that nobody waits for: long deletions, and what has expired. Any number of
        workers may call it at once. False when there was nothing to do."""
        worked = self.deletions.work()
        return self.deletions.collect() or worked
