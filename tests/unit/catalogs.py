"""A catalogue over two stores on real files, with a clock that the test turns, and other servers in memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.catalog import Catalog, Limits
from storage.catalog.caller import Caller
from storage.catalog.clock import SECOND
from storage.catalog.jobs import COPY, DELIVERY, FLOW_DELETION, REMOVAL, Claim, JobSelection, LeaseLost
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
from storage.tables.engine import Engine, Row
from storage.timerange import parse_timerange
from tests.conformance.kit.documents import Json, flow

CALLER = Caller("tester", frozenset({"admin"}))
BASE = "https://tams.example"
HOME = "11111111-1111-4111-8111-111111111111"
SECOND_HOME = "22222222-2222-4222-8222-222222222222"
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
    """Microseconds since 1970, standing still unless turned."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@dataclass
class Page:
    """What another server has at a URL. size: as announced; breaks: whether the connection ends too early."""

    pieces: Sequence[bytes]
    size: int | None = None
    content_type: str | None = None
    breaks: bool = False

    def chunks(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.breaks:
            raise Unavailable("the connection broke")


@dataclass
class Elsewhere:
    """Every other server. pages: by URL; where there is none nobody answers. A host called "forbidden" is refused."""

    pages: dict[str, Page] = field(default_factory=dict)

    def check_url(self, url: str, field: str) -> None:
        if "//forbidden" in url:
            raise Invalid(f"{field} {url!r} must not be reached", field=field, behaviour="HOOK-POST-08")

    def check_header(self, name: str, value: str) -> None:
        if name == "Host":
            raise Invalid(f"api_key_name {name!r} cannot be sent", field="api_key_name", behaviour="HOOK-POST-14")

    @contextmanager
    def open(self, url: str) -> Iterator[Page]:
        self.check_url(url, "url")
        if url not in self.pages:
            raise Unavailable(f"nobody answers at {url}")
        yield self.pages[url]


@dataclass
class World:
    """folder: where all of it is; catalog: under test; engine: under that; stores: by backend id, HOME the default;
    elsewhere: other servers."""

    folder: Path
    catalog: Catalog
    engine: Engine
    stores: dict[str, FileStore]
    clock: Clock
    elsewhere: Elsewhere

    def tick(self) -> bool:
        """A helping of the background work that is no job. False when there was none."""
        dispatched, forgotten = self.catalog.deliveries.dispatch(), self.catalog.remove_expired()
        return dispatched or forgotten

    def sweep(self) -> None:
        """All the background work that there is now, but for sending events."""
        for _ in range(10_000):
            worked = self.tick()
            claims = self.claim(FLOW_DELETION, REMOVAL, COPY)
            for claim in claims:
                self.carry_out(claim)
            if not worked and not claims:
                return
        raise AssertionError("the background work never ends")

    def claim(self, *kinds: str, worker: str = "a worker") -> list[Claim]:
        """Take the jobs of these kinds that are due."""
        return self.catalog.jobs.claim(worker, [JobSelection([In("kind", kinds)], _EVERYTHING)])

    def step(self, claim: Claim) -> bool:
        """One step of a job. False once nothing is left of it."""
        steps = {
            FLOW_DELETION: self.catalog.flow_delete_requests.delete_batch,
            REMOVAL: self.catalog.byte_removal.remove_batch,
            COPY: self.catalog.copies.make_copy,
        }
        return steps[claim.kind](claim)

    def carry_out(self, claim: Claim) -> None:
        """All steps of a job; where one fails the job is put off, or given up if it cannot be done."""
        try:
            while self.step(claim):
                pass
        except LeaseLost:
            pass
        except Unavailable as error:
            self.catalog.jobs.fail(claim, error.message)
        except (Invalid, NotFound):
            self.catalog.copies.abandon(claim)

    def jobs(self, state: str | None = None) -> list[tuple[str, str]]:
        """Kind and state of every job, or of those in one state."""
        return [(job["kind"], job["state"]) for job in self.catalog.jobs.list_jobs(state)]

    def rows(self, table: str) -> list[Row]:
        """Every row of a table."""
        with self.engine.read() as tx:
            return tx.select(table)

    def listen(self, *event_types: str, caller: Caller = CALLER, **members: Any) -> str:
        """A webhook for these types of event, or all of them; its id."""
        body = {"url": RECEIVER, "events": list(event_types or EVENT_TYPES), **members}
        webhook_id: str = self.catalog.webhooks.create(caller, body, BASE)["id"]
        return webhook_id

    def webhook(self, webhook_id: str) -> Json:
        return self.catalog.webhooks.get(CALLER, webhook_id)

    def set_webhook(self, webhook_id: str, status: str = "created", **members: Any) -> Json:
        """PUT a webhook as it is but for these members; one given as None is left out."""
        body = {**self.webhook(webhook_id), "status": status, **members}
        body = {name: value for name, value in body.items() if value is not None and name != "error"}
        return self.catalog.webhooks.replace(CALLER, webhook_id, body, BASE)

    def delivery_job(self, webhook_id: str, worker: str = "a worker") -> Claim | None:
        """The job of sending to this webhook, if it is due and nobody has it. Jobs of other webhooks are left."""
        claims = self.catalog.jobs.claim(worker, [JobSelection(equals(kind=DELIVERY, key=webhook_id), 1)])
        return claims[0] if claims else None

    def messages(self, claim: Claim) -> list[tuple[Delivery, WebhookRequest | None]]:
        """What is queued for a webhook, with what is to be sent."""
        queued = self.catalog.deliveries.next_batch(claim.key, _EVERYTHING)
        return [(delivery, self.catalog.deliveries.prepare_request(claim, delivery)) for delivery in queued]

    def heard(self, webhook_id: str) -> list[Json]:
        """Send a webhook all that there is for it; the bodies, in order."""
        while self.catalog.deliveries.dispatch():
            pass
        claim = self.delivery_job(webhook_id)
        if claim is None:
            return []
        told = self.messages(claim)
        self.catalog.deliveries.mark_delivered(claim, [delivery for delivery, _ in told])
        assert self.catalog.deliveries.finish_if_empty(claim)
        return [message.body for _, message in told if message is not None]

    def heard_types(self, webhook_id: str) -> list[str]:
        return [body["event_type"] for body in self.heard(webhook_id)]

    def make_flow(self, document: Json | None = None) -> str:
        document = document or flow()
        self.catalog.flows.put(CALLER, document["id"], document)
        flow_id: str = document["id"]
        return flow_id

    def allocate(self, flow_id: str, *object_ids: str, content: bytes | None = b"bytes", **members: Any) -> None:
        """Set these ids aside, and upload `content` for each."""
        self.catalog.allocation.allocate(CALLER, flow_id, {"object_ids": list(object_ids), **members}, BASE)
        store = self.stores[members.get("storage_id", HOME)]
        for object_id in object_ids:
            if content is not None:
                store.write(object_id, "video/mp2t", iter([content]))

    def register(self, flow_id: str, *segments: Json) -> list[TamsError]:
        """Register segments; the refusals."""
        return [refusal for _, refusal in self.catalog.segments.register(CALLER, flow_id, segments)]

    def collect(self, flow_id: str, *members: str) -> None:
        """Make these flows the collection of a flow."""
        items = [{"id": member, "role": "any"} for member in members]
        self.catalog.flows.set_member(CALLER, flow_id, "flow_collection", items)

    def place(self, flow_id: str, object_id: str, timerange: str = "[0:0_1:0)", **members: Any) -> None:
        """Allocate, upload and register one object."""
        self.allocate(flow_id, object_id)
        assert self.register(flow_id, {"object_id": object_id, "timerange": timerange, **members}) == []

    def timeranges(self, flow_id: str) -> list[str]:
        """Those of the flow's segments."""
        page = self.catalog.segments.page(CALLER, flow_id, SegmentFilter(), PageRequest(1000), GetUrlFilter(), BASE)
        return [item["timerange"] for item in page.page.items]

    def delete_segments(self, flow_id: str, timerange: str = "_", object_id: str | None = None) -> Json | None:
        filters = SegmentFilter(parse_timerange(timerange), object_id)
        return self.catalog.deletions.delete_segments(CALLER, flow_id, filters)

    def object(self, object_id: str) -> ObjectPage:
        return self.catalog.objects.get(CALLER, object_id, ObjectQuery(get_urls=GetUrlFilter(verbose=True)), BASE)

    def is_shown(self, object_id: str) -> bool:
        try:
            self.object(object_id)
        except NotFound:
            return False
        return True

    def places(self, object_id: str) -> set[str]:
        """Backend ids of the instances that are shown."""
        return {each["storage_id"] for each in self.object(object_id).document["get_urls"]}

    def has_bytes(self, object_id: str, storage_id: str = HOME) -> bool:
        return self.stores[storage_id].stat(object_id) is not None


@contextmanager
def open_world(folder: Path, limits: Limits | None = None) -> Iterator[World]:
    """A world over an empty catalogue in `folder`."""
    engine = open_engine(f"sqlite:///{folder / 'catalog.db'}")
    engine.create()
    clock = Clock()
    stores = {
        id_: FileStore(
            folder / label,
            Backend(id_, label, "example", "files", default_storage=id_ == HOME),
            _SECRET,
            upload_timeout_s=600,
            download_timeout_s=600,
        )
        for id_, label in ((HOME, "home"), (SECOND_HOME, "second"))
    }
    elsewhere = Elsewhere()
    catalog = Catalog(engine, stores, limits or Limits(), clock, elsewhere)
    yield World(folder, catalog, engine, stores, clock, elsewhere)
    engine.close()
