"""The rules of TAMS: what may be written, what follows from it, and how it is found again."""

from collections.abc import Callable, Mapping

from storage.catalog.check.consistency import Consistency
from storage.catalog.credentials import Credentials
from storage.catalog.environment import Environment, Limits
from storage.catalog.flows.flows import Flows
from storage.catalog.job_control import JobControl
from storage.catalog.jobs import KINDS, Jobs
from storage.catalog.objects import references
from storage.catalog.objects.allocation import Allocation
from storage.catalog.objects.byte_removal import ByteRemoval
from storage.catalog.objects.copies import Copies
from storage.catalog.objects.objects import Objects
from storage.catalog.profiles import Profiles
from storage.catalog.remote_servers import NoOutbound, Outbound
from storage.catalog.segments.deletions import Deletions
from storage.catalog.segments.segments import Segments
from storage.catalog.service import Service
from storage.catalog.sources import Sources
from storage.catalog.webhooks.deliveries import Deliveries
from storage.catalog.webhooks.webhooks import Webhooks
from storage.media.object_store import ObjectStore
from storage.tables.engine import Engine, Row

__all__ = ["Catalog", "Limits"]


class Catalog:
    """Everything the service keeps, over one engine and any number of stores.

    stores: by backend id, the default backend first. clock: microseconds since 1970; the system's unless given.
    outbound: how other servers are reached; nobody is unless given.
    """

    def __init__(
        self,
        engine: Engine,
        stores: Mapping[str, ObjectStore],
        limits: Limits | None = None,
        clock: Callable[[], int] | None = None,
        outbound: Outbound | None = None,
    ) -> None:
        limits, outbound = limits or Limits(), outbound or NoOutbound()
        if clock is None:
            env = Environment(engine, stores, limits, outbound=outbound)
        else:
            env = Environment(engine, stores, limits, clock, outbound)
        self._engine = engine
        self._stores = stores
        self.service = Service(env)
        self.credentials = Credentials(engine)
        self.profiles = Profiles(env)
        self.sources = Sources(env)
        self.flows = Flows(env)
        self.segments = Segments(env)
        self.allocation = Allocation(env)
        self.objects = Objects(env)
        self.copies = Copies(env)
        self.webhooks = Webhooks(env)
        self.deletions = Deletions(env)
        self.byte_removal = ByteRemoval(env)
        self.deliveries = Deliveries(env)
        self.jobs = Jobs(env)
        self.job_control = JobControl(env, self.deliveries, self.deletions, self.copies)
        self.consistency = Consistency(env)
        self._collect = references.Collection(env)

    def look(self, limit: int) -> tuple[bool, list[Row]]:
        """What there is to do in the background: whether events are to be passed on (`deliveries.dispatch`), and at
        most so many jobs that may be claimed, the longest due first."""
        with self._engine.read_once() as tx:
            return self.deliveries.are_pending(tx), self.jobs.waiting(tx, KINDS, limit)

    def forget_expired(self) -> bool:
        """Forget a helping of what has expired: objects that nothing names, deletion requests that are done. Any number
        of workers may call it at once. False when there was nothing."""
        worked = self._collect.step()
        return self.deletions.forget_finished() or worked

    def tidy(self) -> None:
        """Remove what uploads of dead processes have left in the stores. To be repeated now and then."""
        for store in self._stores.values():
            store.remove_abandoned()
