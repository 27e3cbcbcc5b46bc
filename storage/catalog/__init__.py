"""The catalogue: the rules of TAMS over a database engine and object stores, without HTTP."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from storage.analytics.process import NoQueries, QueryRunner
from storage.catalog import job_room
from storage.catalog.access.class_rows import prepare_classes
from storage.catalog.access.owners import Owners
from storage.catalog.access_rules import NO_RULES, AccessRules
from storage.catalog.analytics import Analytics
from storage.catalog.caller import Caller
from storage.catalog.check.consistency import Consistency
from storage.catalog.clock import clock as system_clock
from storage.catalog.clock_guard import ClockGuard
from storage.catalog.credential_register import CredentialRegister
from storage.catalog.credentials import Credentials
from storage.catalog.deleted.deleted_resources import DeletedResources
from storage.catalog.deleted.final_deletion import FinalDeletion
from storage.catalog.deleted.segment_events import SegmentEvents
from storage.catalog.environment import Environment, Limits, StoredBytesQuota
from storage.catalog.flows.class_spreading import ClassSpreading
from storage.catalog.flows.flow_creation import FlowCreation
from storage.catalog.flows.flows import Flows
from storage.catalog.job_control import JobControl
from storage.catalog.job_kinds import KINDS
from storage.catalog.job_listing import JobListing
from storage.catalog.job_room import Room
from storage.catalog.jobs import Claim, Jobs, WaitingJob
from storage.catalog.objects.allocation import Allocation
from storage.catalog.objects.byte_removal import ByteRemoval
from storage.catalog.objects.copies import Copies
from storage.catalog.objects.garbage_collection import GarbageCollection
from storage.catalog.objects.media_access import MediaAccess
from storage.catalog.objects.object_batch import ObjectBatch
from storage.catalog.objects.object_uploads import ObjectUploads
from storage.catalog.objects.objects import Objects
from storage.catalog.playback.playback import Playback
from storage.catalog.profiles import Profiles
from storage.catalog.remote_servers import NoOutbound, Outbound
from storage.catalog.retention.retention import Retention
from storage.catalog.segments.deletions import Deletions
from storage.catalog.segments.flow_delete_requests import FlowDeleteRequests
from storage.catalog.segments.segment_tags import SegmentTags
from storage.catalog.segments.segment_uploads import SegmentUploads
from storage.catalog.segments.segments import Segments
from storage.catalog.segments.source_deletions import SourceDeletions
from storage.catalog.service import Service
from storage.catalog.source_creation import SourceCreation
from storage.catalog.sources import Sources
from storage.catalog.thumbnails.thumbnails import Thumbnails
from storage.catalog.timeline.timeline import Timelines
from storage.catalog.token_keys import TokenKeys
from storage.catalog.usage import Usage
from storage.catalog.violations import Violations
from storage.catalog.webhooks.deliveries import Deliveries
from storage.catalog.webhooks.webhooks import Webhooks, visible_webhooks
from storage.media.object_store import ObjectStore
from storage.media.url_keys import UrlKeys
from storage.tables.engine import Engine

__all__ = ["Catalog", "Limits", "StoredBytesQuota"]


class Catalog:
    """All resources and background work of one service.

    stores: by storage backend id, the default backend first.
    clock: returns microseconds since 1970; the system clock by default.
    outbound: access to other servers; none by default.
    verify_uploads: whether segments are registered only if the bytes of their objects have arrived.
    describe_sources: whether a new source takes label, description and tags of its first flow.
    stored_bytes_quota: how many bytes each principal may store; None to count none.
    access: who may do what with which resource, beyond the scopes.
    queries: runs queries of analytics, which returns at most analytics_rows rows each.
    playlist_keys: sign the URLs of playlists; None to sign none.
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
        stored_bytes_quota: StoredBytesQuota | None = None,
        access: AccessRules = NO_RULES,
        queries: QueryRunner | None = None,
        analytics_rows: int = 1000,
        playlist_keys: UrlKeys | None = None,
    ) -> None:
        env = Environment(
            engine,
            stores,
            limits or Limits(),
            clock,
            outbound or NoOutbound(),
            verify_uploads,
            describe_sources,
            stored_bytes_quota,
            access,
        )
        self._engine = engine
        self.clock = clock
        self._access = access
        self._stores = stores
        self.service = Service(env)
        self.credentials = Credentials(engine)
        self.token_keys = TokenKeys(engine)
        self.credential_register = CredentialRegister(engine, clock)
        self.profiles = Profiles(env)
        self.sources = Sources(env, ClassSpreading(env))
        self.source_creation = SourceCreation(env)
        self.flow_delete_requests = FlowDeleteRequests(env)
        self.deletions = Deletions(env, self.flow_delete_requests)
        final_deletion = FinalDeletion(self.deletions)
        self.deleted = DeletedResources(env, final_deletion)
        self.segment_events = SegmentEvents(env)
        self.flows = Flows(env, final_deletion)
        self.flow_creation = FlowCreation(env)
        self.segments = Segments(env)
        self.segment_tags = SegmentTags(env)
        self.allocation = Allocation(env)
        self.segment_uploads = SegmentUploads(env, self.allocation, self.segments)
        self.objects = Objects(env)
        self.object_batch = ObjectBatch(env, self.allocation)
        self.media_access = MediaAccess(env)
        self.object_uploads = ObjectUploads(env)
        self.copies = Copies(env)
        self.webhooks = Webhooks(env)
        self.owners = Owners(env)
        self.source_deletions = SourceDeletions(env, self.flow_delete_requests)
        self.retention = Retention(env, self.deletions)
        self.byte_removal = ByteRemoval(env)
        self.deliveries = Deliveries(env)
        self.usage = Usage(env)
        self.violations = Violations(env)
        self.jobs = Jobs(env)
        self.job_control = JobControl(env, self.deliveries, self.flow_delete_requests, self.copies)
        self.job_listing = JobListing(env)
        self.consistency = Consistency(env)
        self.playback = Playback(env, playlist_keys)
        self.thumbnails = Thumbnails(env)
        self.timelines = Timelines(env)
        self.analytics = Analytics(env, queries or NoQueries(), analytics_rows, visible_webhooks)
        self._garbage_collection = GarbageCollection(env)

    def clock_guard(self, pause_s: float) -> ClockGuard:
        """A guard that says when the clock permits deletions. pause_s: for how many seconds a jump holds them up."""
        return ClockGuard(self._engine, pause_s)

    def apply_rules(self, caller: Caller) -> Caller:
        """The caller, with the rules on what its groups may do. Every verified caller passes through here."""
        return replace(caller, rules=self._access) if self._access.enabled else caller

    def prepare_access(self) -> None:
        """Make the rows of classes those that the rules need. Called at start."""
        prepare_classes(self._engine, self._access)

    def pending_work(self, limit: int) -> tuple[bool, list[WaitingJob]]:
        """Return whether events wait for `deliveries.dispatch`, and up to `limit` jobs that can be claimed, longest
        overdue first."""
        with self._engine.read_once() as tx:
            return self.deliveries.are_pending(tx), self.jobs.waiting(tx, KINDS, limit)

    def claim_jobs(self, worker: str, waiting: Sequence[WaitingJob], room: Room) -> list[Claim]:
        """Claim those of the waiting jobs (see `pending_work`) that `worker` has room for, or others like them."""
        return job_room.claim_into(room, self.jobs, worker, waiting)

    def remove_expired(self, now: int | None = None) -> bool:
        """Remove a batch of unreferenced objects, of delete requests that finished long ago, and of deleted flows.

        now: the time by which they have expired, in microseconds since 1970; that of the clock by default.
        Brings jobs forward too that wait for a time which the clock has shown too early. Safe to call from several
        workers at once. Returns False when there was nothing to remove.
        """
        self.jobs.undo_clock_steps()
        now = self.clock() if now is None else now
        removed = self._garbage_collection.collect_batch(now)
        removed |= self.violations.remove_expired(now)
        removed |= self.flow_delete_requests.remove_expired(now)
        return self.deleted.delete_expired(now) or removed

    def remove_abandoned_uploads(self) -> None:
        """Remove what unfinished uploads of dead processes left in the stores. Call it from time to time."""
        for store in self._stores.values():
            store.remove_abandoned()
