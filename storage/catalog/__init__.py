"""The catalogue: the rules of TAMS over a database engine and object stores, without HTTP."""

from collections.abc import Callable, Mapping, Sequence

from storage.catalog import job_room
from storage.catalog.check.consistency import Consistency
from storage.catalog.clock import clock as system_clock
from storage.catalog.credentials import Credentials
from storage.catalog.environment import Environment, Limits
from storage.catalog.flows.flows import Flows
from storage.catalog.job_control import JobControl
from storage.catalog.job_kinds import KINDS
from storage.catalog.job_room import Room
from storage.catalog.jobs import Claim, Jobs, WaitingJob
from storage.catalog.objects.allocation import Allocation
from storage.catalog.objects.byte_removal import ByteRemoval
from storage.catalog.objects.copies import Copies
from storage.catalog.objects.garbage_collection import GarbageCollection
from storage.catalog.objects.object_uploads import ObjectUploads
from storage.catalog.objects.objects import Objects
from storage.catalog.profiles import Profiles
from storage.catalog.remote_servers import NoOutbound, Outbound
from storage.catalog.segments.deletions import Deletions
from storage.catalog.segments.flow_delete_requests import FlowDeleteRequests
from storage.catalog.segments.segments import Segments
from storage.catalog.service import Service
from storage.catalog.sources import Sources
from storage.catalog.webhooks.deliveries import Deliveries
from storage.catalog.webhooks.webhooks import Webhooks
from storage.media.object_store import ObjectStore
from storage.tables.engine import Engine

__all__ = ["Catalog", "Limits"]


class Catalog:
    """All resources and background work of one service.

    stores: by storage backend id, the default backend first.
    clock: returns microseconds since 1970; the system clock by default.
    outbound: access to other servers; none by default.
    verify_uploads: whether segments are registered only if the bytes of their objects have arrived.
    describe_sources: whether a new source takes label, description and tags of its first flow.
    """

    def __init__(
        self,
        engine: Engine,
        stores: Mapping[str, ObjectStore],
        limits: Limits | None = None,
        clock: Callable[[], int] = system_clock,
        outbound: Outbound | None = None,
        verify_uploads: bool = False,
        describe_sources: bool = True,
    ) -> None:
        env = Environment(
            engine, stores, limits or Limits(), clock, outbound or NoOutbound(), verify_uploads, describe_sources
        )
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
        self.object_uploads = ObjectUploads(env)
        self.copies = Copies(env)
        self.webhooks = Webhooks(env)
        self.flow_delete_requests = FlowDeleteRequests(env)
        self.deletions = Deletions(env, self.flow_delete_requests)
        self.byte_removal = ByteRemoval(env)
        self.deliveries = Deliveries(env)
        self.jobs = Jobs(env)
        self.job_control = JobControl(env, self.deliveries, self.flow_delete_requests, self.copies)
        self.consistency = Consistency(env)
        self._garbage_collection = GarbageCollection(env)

    def pending_work(self, limit: int) -> tuple[bool, list[WaitingJob]]:
        """Return whether events wait for `deliveries.dispatch`, and up to `limit` jobs that can be claimed, longest
        overdue first."""
        with self._engine.read_once() as tx:
            return self.deliveries.are_pending(tx), self.jobs.waiting(tx, KINDS, limit)

    def claim_jobs(self, worker: str, waiting: Sequence[WaitingJob], room: Room) -> list[Claim]:
        """Claim those of the waiting jobs (see `pending_work`) that `worker` has room for, or others like them."""
        return job_room.claim_into(room, self.jobs, worker, waiting)

    def remove_expired(self) -> bool:
        """Remove a batch of unreferenced objects and of delete requests that finished long ago.

        Safe to call from several workers at once. Returns False when there was nothing to remove.
        """
        removed = self._garbage_collection.collect_batch()
        return self.flow_delete_requests.remove_expired() or removed

    def remove_abandoned_uploads(self) -> None:
        """Remove what unfinished uploads of dead processes left in the stores. Call it from time to time."""
        for store in self._stores.values():
            store.remove_abandoned()
