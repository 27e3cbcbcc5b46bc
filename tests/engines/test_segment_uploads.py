"""F7: uploads of segments through this server, over every engine and every object store."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import Catalog, StoredBytesQuota
from storage.catalog.clock import SECOND
from storage.catalog.job_room import Room
from storage.catalog.segments.segment_uploads import ReceivedSegment, SegmentUpload
from storage.errors import AlreadyExists, Forbidden, Invalid, NotFound, QuotaExceeded
from storage.media.object_store import ObjectStore
from storage.media.s3_transfer import RECEIVED_PART_BYTES
from storage.tables.conditions import equals
from storage.tables.engine import Engine
from tests.conformance.kit.documents import Json, flow, init_flow
from tests.engines.object_stores import KINDS, TYPE, new_store
from tests.engines.test_verified_uploads import CALLER, World

MEDIA = b"some media"
EMPTY_TABLES = ("objects", "instances", "object_refs", "segments")


class UploadWorld(World):
    """A catalogue, with what a receiver of uploads does."""

    def begin(self, flow_id: str, number: int = 0, content_type: str = TYPE, **members: Any) -> SegmentUpload:
        document = {"timerange": f"[{number}:0_{number + 1}:0)", "storage_id": self.store.backend.id, **members}
        return self.catalog.segment_uploads.begin(CALLER, flow_id, document, content_type)

    def store_bytes(self, upload: SegmentUpload, content: bytes = MEDIA) -> ReceivedSegment:
        incoming = self.catalog.segment_uploads.open(upload)
        incoming.add(content)
        received = ReceivedSegment(upload, incoming.commit())
        incoming.abort()
        return received

    def upload_segment(self, flow_id: str, number: int = 0, content: bytes = MEDIA, **members: Any) -> str:
        received = self.store_bytes(self.begin(flow_id, number, **members), content)
        return self.catalog.segment_uploads.register(received)

    def rows(self, *tables: str) -> list[Json]:
        with self.engine.read() as tx:
            return [dict(row) for table in tables for row in tx.select(table)]

    def collect_garbage(self, now: int | None = None) -> None:
        """Remove what has expired by `now`, and its bytes."""
        while self.catalog.remove_expired(now):
            pass
        _, waiting = self.catalog.pending_work(10)
        for claim in self.catalog.claim_jobs("test", waiting, Room(deliveries=0, failing_deliveries=0, others=4)):
            while self.catalog.byte_removal.remove_batch(claim):
                pass

    def later(self) -> int:
        """A time at which everything allocated until now has expired."""
        return self.catalog.clock() + 3600 * SECOND


def make_world(kind: str, engine: Engine, folder: Path, **options: Any) -> UploadWorld:
    store: ObjectStore = new_store(kind, folder)
    return UploadWorld(Catalog(engine, {store.backend.id: store}, **options), engine, store)


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> UploadWorld:
    return make_world(request.param, engine, tmp_path)


def read(world: UploadWorld, object_id: str) -> bytes:
    with world.store.open(world.name(object_id)) as file:
        return file.read()


def test_a_segment_is_registered_with_its_bytes(world: UploadWorld) -> None:
    flow_id = world.make_flow()
    made, chosen = world.upload_segment(flow_id), world.upload_segment(flow_id, 1, b"other", object_id="chosen")
    assert chosen == "chosen"
    assert world.registered(flow_id) == [made, chosen]
    assert (read(world, made), read(world, chosen)) == (MEDIA, b"other")
    row = world.instance(made)
    assert (row["size"], row["etag"]) == (len(MEDIA), hashlib.md5(MEDIA).hexdigest())
    states = [(row["state"], row["content_type"], row["expires"]) for row in world.rows("objects")]
    assert states == [("media", TYPE, None)] * 2
    world.collect_garbage(world.later())
    assert read(world, made) == MEDIA


def test_large_objects_arrive_in_parts(world: UploadWorld) -> None:
    content = bytes(range(256)) * (RECEIVED_PART_BYTES // 128) + b"the end"
    object_id = world.upload_segment(world.make_flow(), content=content)
    assert world.instance(object_id)["size"] == len(content)
    assert read(world, object_id) == content


def test_an_object_is_not_seen_or_written_by_others_before_its_segment_is_registered(world: UploadWorld) -> None:
    flow_id = world.make_flow()
    received = world.store_bytes(world.begin(flow_id, object_id="one"))
    with pytest.raises(NotFound):
        world.catalog.objects.require(CALLER, "one", "read")
    with pytest.raises(NotFound):
        world.catalog.object_uploads.find("one", world.store.backend.id)
    with pytest.raises(Invalid, match="already exists"):
        world.begin(flow_id, 1, object_id="one")
    world.catalog.segment_uploads.register(received)
    world.catalog.objects.require(CALLER, "one", "read")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"number": 5}, "overlaps"),
        ({"init_object_id": "x"}, "init_object_id"),
        ({"content_type": "video/mp4"}, "video/mp2t"),
        ({"object_id": "taken"}, "already exists"),
        ({"storage_id": "10fac26c-0c18-47c4-9bee-a6aaf01daf16"}, "storage_id"),
    ],
)
def test_a_segment_that_breaks_a_rule_allocates_nothing(world: UploadWorld, members: Json, words: str) -> None:
    flow_id = world.make_flow()
    world.upload_segment(flow_id, 5, object_id="taken")
    before = world.rows(*EMPTY_TABLES)
    with pytest.raises(Invalid, match=words):
        world.begin(flow_id, **members)
    assert world.rows(*EMPTY_TABLES) == before


def test_a_flow_that_takes_no_segments_takes_no_uploads(world: UploadWorld) -> None:
    flow_id = world.make_flow()
    world.catalog.flows.set_member(CALLER, flow_id, "read_only", True)
    for check in (lambda: world.catalog.segment_uploads.check_flow(CALLER, flow_id), lambda: world.begin(flow_id)):
        with pytest.raises(Forbidden, match="read-only"):
            check()
    with pytest.raises(NotFound):
        world.catalog.segment_uploads.check_flow(CALLER, flow()["id"])


@pytest.mark.parametrize("stored", [False, True])
def test_nothing_is_left_of_an_upload_that_is_discarded(world: UploadWorld, stored: bool) -> None:
    flow_id = world.make_flow()
    upload = world.begin(flow_id, object_id="one")
    if stored:
        world.store_bytes(upload)
    world.catalog.segment_uploads.discard(upload, stored=stored)
    assert world.rows(*EMPTY_TABLES) == []
    if not stored:
        world.upload_segment(flow_id, object_id="one")
        return
    world.collect_garbage()
    assert list(world.store.object_ids()) == world.rows("garbage") == []


@pytest.mark.parametrize("stored", [False, True])
def test_what_a_dead_process_leaves_expires(world: UploadWorld, stored: bool) -> None:
    upload = world.begin(world.make_flow())
    if stored:
        world.store_bytes(upload)
    world.collect_garbage()
    assert len(world.rows("objects")) == 1
    world.collect_garbage(world.later())
    assert world.rows(*EMPTY_TABLES) == list(world.store.object_ids()) == world.rows("garbage") == []


def test_an_object_does_not_expire_while_its_upload_goes_on(world: UploadWorld) -> None:
    flow_id = world.make_flow()
    upload = world.begin(flow_id)
    with world.engine.write() as tx:
        tx.update("objects", equals(id=upload.target.object_id), {"expires": 1})
    world.catalog.segment_uploads.renew(upload)
    world.collect_garbage()
    world.catalog.segment_uploads.register(world.store_bytes(upload))
    assert world.registered(flow_id) == [upload.target.object_id]


def test_an_upload_that_outlives_its_object_is_rejected_and_leaves_nothing(world: UploadWorld) -> None:
    flow_id = world.make_flow()
    upload = world.begin(flow_id)
    received = world.store_bytes(upload)
    world.collect_garbage(world.later())
    with pytest.raises(NotFound):
        world.catalog.segment_uploads.renew(upload)
    received = world.store_bytes(upload)
    with pytest.raises(NotFound, match="expired"):
        world.catalog.segment_uploads.register(received)
    world.catalog.segment_uploads.discard(upload, stored=True)
    world.collect_garbage()
    assert world.registered(flow_id) == world.rows(*EMPTY_TABLES) == list(world.store.object_ids()) == []


def test_a_segment_that_came_to_overlap_is_rejected_and_leaves_nothing(world: UploadWorld) -> None:
    flow_id = world.make_flow()
    upload = world.begin(flow_id)
    received = world.store_bytes(upload)
    other = world.upload_segment(flow_id)
    with pytest.raises(Invalid, match="overlaps"):
        world.catalog.segment_uploads.register(received)
    world.catalog.segment_uploads.discard(upload, stored=True)
    world.collect_garbage()
    assert world.registered(flow_id) == [other]
    assert [row["id"] for row in world.rows("objects")] == [other]


def test_an_object_that_another_request_has_registered_is_not_taken_for_the_upload(world: UploadWorld) -> None:
    flow_id = world.make_flow()
    upload = world.begin(flow_id, object_id="one")
    item = {"object_id": "one", "timerange": "[7:0_8:0)"}
    assert world.register(flow_id, item) == []
    with pytest.raises(AlreadyExists):
        world.catalog.segment_uploads.register(world.store_bytes(upload))
    world.catalog.segment_uploads.discard(upload, stored=True)
    assert world.registered(flow_id) == ["one"]


def test_a_registered_segment_is_not_discarded(world: UploadWorld) -> None:
    """As after a commit whose response was lost."""
    flow_id = world.make_flow()
    upload = world.begin(flow_id)
    object_id = world.catalog.segment_uploads.register(world.store_bytes(upload))
    world.catalog.segment_uploads.discard(upload, stored=True)
    world.collect_garbage(world.later())
    assert read(world, object_id) == MEDIA


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_count_towards_the_quota_of_the_caller(kind: str, engine: Engine, tmp_path: Path) -> None:
    world = make_world(kind, engine, tmp_path, stored_bytes_quota=StoredBytesQuota(25))
    flow_id = world.make_flow()
    for number in range(2):
        world.upload_segment(flow_id, number)
    assert [(each.principal, each.stored_bytes) for each in world.catalog.usage.list_all()] == [(CALLER.name, 20)]
    upload = world.begin(flow_id, 2)
    assert upload.target.most_bytes == 5
    with pytest.raises(QuotaExceeded):
        world.catalog.segment_uploads.register(world.store_bytes(upload))
    world.catalog.segment_uploads.discard(upload, stored=True)
    world.upload_segment(flow_id, 3, b"12345")
    with pytest.raises(QuotaExceeded):
        world.begin(flow_id, 4)
    with pytest.raises(QuotaExceeded):
        world.catalog.segment_uploads.check_flow(CALLER, flow_id)
    assert [each.stored_bytes for each in world.catalog.usage.list_all()] == [25]


@pytest.mark.parametrize("kind", KINDS)
def test_verification_asks_for_the_init_object_alone(
    kind: str, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(kind, engine, tmp_path, verify_uploads=True)
    flow_id = world.make_flow(init_flow())
    world.allocate(flow_id, "init", content_type="video/mp4")
    members: Json = {"init_object_id": "init", "content_type": "video/iso.segment"}
    with pytest.raises(Invalid, match="init_object_id 'init' has no bytes"):
        world.begin(flow_id, **members)
    world.upload("init")
    asked: list[str] = []
    original = world.store.stat

    def stat(name: str) -> Any:
        asked.append(name)
        return original(name)

    monkeypatch.setattr(world.store, "stat", stat)
    received = world.store_bytes(world.begin(flow_id, **members))
    object_id = world.catalog.segment_uploads.register(received)
    assert set(asked) == {world.name("init")}
    assert (world.instance(object_id)["size"], world.instance("init")["size"]) == (len(MEDIA), len(MEDIA))
