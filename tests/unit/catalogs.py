"""A catalogue for tests, over SQLite and two file stores, with a clock to advance and other servers in memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.catalog import Catalog, Limits, StoredBytesQuota
from storage.catalog.caller import Caller
from storage.catalog.clock import SECOND
from storage.catalog.job_kinds import COPY, DELIVERY, FLOW_DELETION, REMOVAL, SEGMENT_EVENTS, JobState
from storage.catalog.jobs import Claim, JobSelection, LeaseLost
from storage.catalog.objects.get_urls import GetUrlFilter
from storage.catalog.objects.objects import ObjectPage, ObjectQuery
from storage.catalog.paging import PageRequest
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.catalog.webhooks.deliveries import Delivery, WebhookRequest
from storage.errors import Invalid, NotFound, TamsError, Unavailable
from storage.media.filesystem import FileStore
from storage.media.object_store import Backend
from storage.tables import open_engine
from storage.tables.conditions import In, equals
from storage.tables.engine import Engine
from storage.tables.transaction import Row
from storage.timerange import parse_timerange
from tests.conformance.kit.documents import Json, flow

CALLER = Caller("tester", frozenset({"admin"}))
BASE = "https://tams.example"
DEFAULT_BACKEND = "11111111-1111-4111-8111-111111111111"
SECOND_BACKEND = "22222222-2222-4222-8222-222222222222"
START = 1_800_000_000 * SECOND
EVENT_TYPES = (
    "flows/created",
    "flows/updated",
    "flows/deleted",
    "flows/segments_added",
    "flows/segments_deleted",
    "sources/created",
    "sources/updated",
    "sources/deleted",
)
RECEIVER = "https://receiver.example/hook"
_SECRET = b"0123456789abcdef"
_EVERYTHING = 10_000


class Clock:
    """Microseconds since 1970. Stands still until it is advanced."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@dataclass
class RemotePage:
    """What another server has at a URL. size: as announced, in bytes; breaks: whether the connection breaks off."""

    pieces: Sequence[bytes]
    size: int | None = None
    content_type: str | None = None
    breaks: bool = False

    def chunks(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.breaks:
            raise Unavailable("the connection broke")


@dataclass
class OtherServers:
    """All other servers. pages: by URL; other URLs are unreachable, and those on the host "forbidden" are rejected."""

    pages: dict[str, RemotePage] = field(default_factory=dict)

    def check_url(self, url: str, field: str) -> None:
        if "//forbidden" in url:
            raise Invalid(f"{field} {url!r} must not be reached", field=field, behaviour="HOOK-POST-08")

    def check_header(self, name: str, value: str) -> None:
        if name == "Host":
            raise Invalid(f"api_key_name {name!r} cannot be sent", field="api_key_name", behaviour="HOOK-POST-14")

    @contextmanager
    def open(self, url: str) -> Iterator[RemotePage]:
        self.check_url(url, "url")
        if url not in self.pages:
            raise Unavailable(f"{url} cannot be reached")
        yield self.pages[url]


@dataclass
class World:
    """A catalogue with everything around it, and short forms of what tests do with it.

    folder: holds the database and the stores. catalog: the one under test. stores: by storage backend id.
    """

    folder: Path
    catalog: Catalog
    engine: Engine
    stores: dict[str, FileStore]
    clock: Clock
    other_servers: OtherServers

    def run_background_pass(self) -> bool:
        """Dispatch events and remove what has expired, one batch of each. Returns False if there was none."""
        dispatched, removed = self.catalog.deliveries.dispatch(), self.catalog.remove_expired()
        return dispatched or removed

    def run_background_work(self) -> None:
        """Do all background work that is due, except for sending events."""
        for _ in range(10_000):
            worked = self.run_background_pass()
            claims = self.claim(FLOW_DELETION, REMOVAL, COPY, SEGMENT_EVENTS)
            for claim in claims:
                self.run_job(claim)
            if not worked and not claims:
                return
        raise AssertionError("the background work does not end")

    def claim(self, *kinds: str, worker: str = "a worker") -> list[Claim]:
        """Claim the jobs of these kinds that are due."""
        return self.catalog.jobs.claim(worker, [JobSelection([In("kind", kinds)], _EVERYTHING)])

    def run_step(self, claim: Claim) -> bool:
        """Run one step of a job. Returns False after the last."""
        steps = {
            FLOW_DELETION: self.catalog.flow_delete_requests.delete_batch,
            REMOVAL: self.catalog.byte_removal.remove_batch,
            COPY: self.catalog.copies.make_copy,
            SEGMENT_EVENTS: self.catalog.segment_events.record_batch,
        }
        return steps[claim.kind](claim)

    def run_job(self, claim: Claim) -> None:
        """Run all steps of a job. If one fails, schedule a retry, or abandon a copy that cannot be made."""
        try:
            while self.run_step(claim):
                pass
        except LeaseLost:
            pass
        except Unavailable as error:
            self.catalog.jobs.fail(claim, error.message)
        except (Invalid, NotFound):
            self.catalog.copies.abandon(claim)

    def jobs(self, state: JobState | None = None) -> list[tuple[str, str]]:
        """Kind and state of every job, or of those in one state."""
        return [(job["kind"], job["state"]) for job in self.catalog.jobs.list_jobs(state)]

    def rows(self, table: str) -> list[Row]:
        """Every row of a table."""
        with self.engine.read() as tx:
            return tx.select(table)

    def add_webhook(self, *event_types: str, caller: Caller = CALLER, **members: Any) -> str:
        """Create a webhook for these types of event, by default all, and return its id."""
        body = {"url": RECEIVER, "events": list(event_types or EVENT_TYPES), **members}
        webhook_id: str = self.catalog.webhooks.create(caller, body, BASE)["id"]
        return webhook_id

    def webhook(self, webhook_id: str) -> Json:
        return self.catalog.webhooks.get(CALLER, webhook_id)

    def set_webhook(self, webhook_id: str, status: str = "created", **members: Any) -> Json:
        """Replace a webhook with these members changed; None removes a member."""
        body = {**self.webhook(webhook_id), "status": status, **members}
        body = {name: value for name, value in body.items() if value is not None and name != "error"}
        return self.catalog.webhooks.replace(CALLER, webhook_id, body, BASE)

    def delivery_job(self, webhook_id: str, worker: str = "a worker") -> Claim | None:
        """Claim the delivery job of this webhook; None unless it is due."""
        claims = self.catalog.jobs.claim(worker, [JobSelection(equals(kind=DELIVERY, key=webhook_id), 1)])
        return claims[0] if claims else None

    def messages(self, claim: Claim) -> list[tuple[Delivery, WebhookRequest | None]]:
        """The deliveries queued for a webhook, each with the request to send."""
        queued = self.catalog.deliveries.next_batch(claim.key, _EVERYTHING)
        return [(delivery, self.catalog.deliveries.prepare_request(claim, delivery)) for delivery in queued]

    def deliver_events(self, webhook_id: str) -> list[Json]:
        """Deliver all events for a webhook, and return their bodies in order."""
        while self.catalog.deliveries.dispatch():
            pass
        claim = self.delivery_job(webhook_id)
        if claim is None:
            return []
        messages = self.messages(claim)
        self.catalog.deliveries.mark_delivered(claim, [delivery for delivery, _ in messages])
        assert self.catalog.deliveries.finish_if_empty(claim)
        return [message.body for _, message in messages if message is not None]

    def delivered_types(self, webhook_id: str) -> list[str]:
        return [body["event_type"] for body in self.deliver_events(webhook_id)]

    def make_flow(self, document: Json | None = None) -> str:
        document = document or flow()
        self.catalog.flows.put(CALLER, document["id"], document)
        flow_id: str = document["id"]
        return flow_id

    def allocate(self, flow_id: str, *object_ids: str, content: bytes | None = b"bytes", **members: Any) -> None:
        """Allocate these ids, and upload `content` for each unless it is None."""
        self.catalog.allocation.allocate(CALLER, flow_id, {"object_ids": list(object_ids), **members}, BASE)
        store = self.stores[members.get("storage_id", DEFAULT_BACKEND)]
        for object_id in object_ids:
            if content is not None:
                store.write(object_id, "video/mp2t", iter([content]))

    def register(self, flow_id: str, *segments: Json) -> list[TamsError]:
        """Register segments, and return the errors of those that are rejected."""
        return [error for _, error in self.catalog.segments.register(CALLER, flow_id, segments)]

    def set_collection(self, flow_id: str, *members: str) -> None:
        """Set a flow's collection to these flows."""
        items = [{"id": member, "role": "any"} for member in members]
        self.catalog.flows.set_member(CALLER, flow_id, "flow_collection", items)

    def add_object(self, flow_id: str, object_id: str, timerange: str = "[0:0_1:0)", **members: Any) -> None:
        """Allocate and upload an object, and register it with one segment."""
        self.allocate(flow_id, object_id)
        assert self.register(flow_id, {"object_id": object_id, "timerange": timerange, **members}) == []

    def timeranges(self, flow_id: str) -> list[str]:
        """The timeranges of the flow's segments, in order."""
        page = self.catalog.segments.page(CALLER, flow_id, SegmentFilter(), PageRequest(1000), GetUrlFilter(), BASE)
        return [item["timerange"] for item in page.page.items]

    def delete_segments(self, flow_id: str, timerange: str = "_", object_id: str | None = None) -> Json | None:
        filters = SegmentFilter(parse_timerange(timerange), object_id)
        return self.catalog.deletions.delete_segments(CALLER, flow_id, filters)

    def object(self, object_id: str) -> ObjectPage:
        return self.catalog.objects.get(CALLER, object_id, ObjectQuery(get_urls=GetUrlFilter(verbose=True)), BASE)

    def is_registered(self, object_id: str) -> bool:
        try:
            self.object(object_id)
        except NotFound:
            return False
        return True

    def backends_of(self, object_id: str) -> set[str]:
        """The storage backend ids of an object's instances."""
        return {each["storage_id"] for each in self.object(object_id).document["get_urls"]}

    def has_bytes(self, object_id: str, storage_id: str = DEFAULT_BACKEND) -> bool:
        return self.stores[storage_id].stat(object_id) is not None


@contextmanager
def open_world(
    folder: Path,
    limits: Limits | None = None,
    database_url: str | None = None,
    quota: StoredBytesQuota | None = None,
) -> Iterator[World]:
    """Open the catalogue in `folder`, or with this URL; a new one is empty."""
    engine = open_engine(database_url or f"sqlite:///{folder / 'catalog.db'}")
    engine.create()
    clock = Clock()
    stores = {
        id_: FileStore(
            folder / label,
            Backend(id_, label, "example", "files", default_storage=id_ == DEFAULT_BACKEND),
            _SECRET,
            upload_timeout_s=600,
            download_timeout_s=600,
        )
        for id_, label in ((DEFAULT_BACKEND, "home"), (SECOND_BACKEND, "second"))
    }
    other_servers = OtherServers()
    catalog = Catalog(engine, stores, limits or Limits(), clock, other_servers, stored_bytes_quota=quota)
    yield World(folder, catalog, engine, stores, clock, other_servers)
    engine.close()
