"""F17: uploads are verified when segments are registered, over every engine and every object store."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage.catalog import Catalog
from storage.catalog.caller import Caller
from storage.catalog.objects.get_urls import GetUrlFilter
from storage.catalog.objects.instances import instance_name
from storage.catalog.paging import PageRequest
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.errors import Invalid, NotFound, TamsError, Unavailable
from storage.media.object_store import DamagedObject, ObjectStore
from storage.tables.conditions import equals
from storage.tables.engine import Engine
from storage.tables.rows import InstanceRow
from storage.waiting import WouldWaitForOthers, not_for_others
from tests.conformance.kit.documents import Json, flow, init_flow
from tests.engines.object_stores import KINDS, TYPE, new_store

CALLER = Caller("tester", frozenset({"admin"}))
BASE = "https://tams.example"
MEDIA = b"some media"


@dataclass(frozen=True, slots=True)
class World:
    """A catalogue that verifies uploads to its only store."""

    catalog: Catalog
    engine: Engine
    store: ObjectStore

    def make_flow(self, document: Json | None = None) -> str:
        document = document or flow()
        self.catalog.flows.put(CALLER, document["id"], document)
        return str(document["id"])

    def allocate(self, flow_id: str, *ids: str, **members: Any) -> None:
        body = {"object_ids": list(ids), "storage_id": self.store.backend.id, **members}
        self.catalog.allocation.allocate(CALLER, flow_id, body, BASE)

    def register(self, flow_id: str, *segments: Json) -> list[TamsError]:
        return [error for _, error in self.catalog.segments.register(CALLER, flow_id, segments)]

    def registered(self, flow_id: str) -> list[str]:
        """The objects of the flow's segments, in order."""
        page = self.catalog.segments.page(CALLER, flow_id, SegmentFilter(), PageRequest(), GetUrlFilter(), BASE)
        return [item["object_id"] for item in page.page.items]

    def instance(self, object_id: str) -> InstanceRow:
        with self.engine.read() as tx:
            [row] = tx.select("instances", equals(object_id=object_id))
        return row

    def name(self, object_id: str) -> str:
        """What the store calls the object."""
        return instance_name(self.instance(object_id))

    def upload(self, *ids: str) -> None:
        for object_id in ids:
            self.store.write(self.name(object_id), TYPE, iter([MEDIA]))


def segment(number: int, object_id: str, **members: Any) -> Json:
    return {"object_id": object_id, "timerange": f"[{number}:0_{number + 1}:0)", **members}


def messages(errors: Sequence[TamsError]) -> list[str]:
    assert all(isinstance(error, Invalid) for error in errors)
    return [error.message for error in errors]


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> World:
    store = new_store(request.param, tmp_path)
    return World(Catalog(engine, {store.backend.id: store}, verify_uploads=True), engine, store)


@pytest.mark.behaviour("SEG-POST-65")
def test_a_segment_is_registered_once_its_bytes_have_arrived(world: World) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "one")
    [error] = world.register(flow_id, segment(0, "one"))
    assert messages([error])[0].startswith(f"object_id 'one' has no bytes on storage backend {world.store.backend.id}")
    assert error.field == "object_id"
    assert world.registered(flow_id) == []
    assert world.instance("one")["size"] is None
    world.upload("one")
    assert world.register(flow_id, segment(0, "one")) == []
    assert world.registered(flow_id) == ["one"]
    row = world.instance("one")
    assert (row["size"], row["etag"]) == (len(MEDIA), hashlib.md5(MEDIA).hexdigest())


def test_only_remote_stores_make_a_request_leave_its_thread(world: World) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "one")
    world.upload("one")
    waits = []
    with not_for_others():
        try:
            assert world.register(flow_id, segment(0, "one")) == []
        except WouldWaitForOthers as error:
            waits.append(error.wait)
    assert waits == (["lookup"] if world.store.is_remote else [])
    assert world.registered(flow_id) == ([] if world.store.is_remote else ["one"])


@pytest.mark.behaviour("SEG-POST-65", "SEG-POST-56")
def test_segments_without_bytes_are_the_failed_ones_of_a_batch(world: World) -> None:
    flow_id = world.make_flow()
    ids = [f"object {number}" for number in range(40)]
    world.allocate(flow_id, *ids)
    world.upload(*ids[::2])
    errors = world.register(flow_id, *(segment(number, object_id) for number, object_id in enumerate(ids)))
    assert [message.partition(" has no bytes")[0] for message in messages(errors)] == [
        f"object_id {object_id!r}" for object_id in ids[1::2]
    ]
    assert world.registered(flow_id) == ids[::2]
    assert {world.instance(object_id)["size"] for object_id in ids[::2]} == {len(MEDIA)}
    assert {world.instance(object_id)["size"] for object_id in ids[1::2]} == {None}


@pytest.mark.behaviour("SEG-POST-65")
def test_the_bytes_of_an_init_object_must_have_arrived_too(world: World) -> None:
    flow_id = world.make_flow(init_flow())
    world.allocate(flow_id, "init", content_type="video/mp4")
    world.allocate(flow_id, "one", "two")
    world.upload("one", "two")
    [error] = world.register(flow_id, segment(0, "one", init_object_id="init"))
    assert messages([error])[0].startswith("init_object_id 'init' has no bytes")
    assert error.field == "init_object_id"
    world.upload("init")
    segments = [segment(number, object_id, init_object_id="init") for number, object_id in enumerate(("one", "two"))]
    assert world.register(flow_id, *segments) == []
    assert world.instance("init")["size"] == len(MEDIA)


@pytest.mark.behaviour("SEG-POST-65", "SEG-POST-07")
def test_an_object_in_use_is_not_verified_again(world: World) -> None:
    first, second = world.make_flow(), world.make_flow()
    world.allocate(first, "one")
    world.upload("one")
    assert world.register(first, segment(0, "one")) == []
    world.store.delete(world.name("one"))
    assert world.register(second, segment(0, "one")) == []


@pytest.mark.behaviour("SEG-POST-65", "SEG-POST-09")
def test_objects_outside_the_storage_backends_are_not_verified(world: World) -> None:
    flow_id = world.make_flow()
    elsewhere = [{"url": "https://elsewhere.example/1.ts", "label": "elsewhere"}]
    assert world.register(flow_id, segment(0, "external", get_urls=elsewhere)) == []
    assert world.instance("external")["size"] is None
    # With get_urls, an allocated object still promises bytes here.
    world.allocate(flow_id, "both")
    [error] = world.register(flow_id, segment(1, "both", get_urls=elsewhere))
    assert "has no bytes" in error.message


@pytest.mark.behaviour("SEG-POST-06")
def test_other_errors_of_an_object_take_precedence(world: World) -> None:
    first, second = world.make_flow(), world.make_flow()
    world.allocate(first, "one")
    assert "was allocated for flow" in world.register(second, segment(0, "one"))[0].message
    with pytest.raises(NotFound):
        world.register(flow()["id"], segment(0, "one"))


def test_a_given_checksum_is_recorded(world: World) -> None:
    """S3 permits it to clients with credentials of their own only, as with a presigned URL it would be unsigned."""
    flow_id = world.make_flow()
    world.allocate(flow_id, "one")
    digest = hashlib.sha256(MEDIA).digest()
    checksum = f"sha-256=:{base64.b64encode(digest).decode()}:"
    _store_with_checksum(world.store, world.name("one"), checksum, digest)
    assert world.register(flow_id, segment(0, "one")) == []
    assert world.instance("one")["checksum"] == checksum


def _store_with_checksum(store: Any, name: str, checksum: str, digest: bytes) -> None:
    if not store.is_remote:
        begun = store.begin(name, TYPE)
        begun.add(MEDIA)
        begun.commit(checksum=checksum)
        return
    value = base64.b64encode(digest).decode()
    store._connection.call("put_object", Key=store._key(name), Body=MEDIA, ChecksumSHA256=value)


def _fails(error: Exception) -> Callable[[str], None]:
    def stat(object_id: str) -> None:
        raise error

    return stat


@pytest.mark.parametrize("kind", KINDS)
def test_an_outage_of_the_store_registers_nothing(
    kind: str, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(kind, tmp_path)
    world = World(Catalog(engine, {store.backend.id: store}, verify_uploads=True), engine, store)
    flow_id = world.make_flow()
    ids = [f"object {number}" for number in range(40)]
    world.allocate(flow_id, *ids)
    world.upload(*ids)
    segments = [segment(number, object_id) for number, object_id in enumerate(ids)]
    with monkeypatch.context() as patch:
        patch.setattr(store, "stat", _fails(Unavailable("the store is unavailable")))
        with pytest.raises(Unavailable, match="the store is unavailable"):
            world.register(flow_id, *segments)
    assert world.registered(flow_id) == []
    with monkeypatch.context() as patch:
        patch.setattr(store, "stat", _fails(DamagedObject("half an object")))
        assert len(world.register(flow_id, *segments)) == len(segments)
    assert world.register(flow_id, *segments) == []


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_setting_uploads_are_not_verified(kind: str, engine: Engine, tmp_path: Path) -> None:
    store = new_store(kind, tmp_path)
    world = World(Catalog(engine, {store.backend.id: store}), engine, store)
    flow_id = world.make_flow()
    world.allocate(flow_id, "one")
    assert world.register(flow_id, segment(0, "one")) == []
    assert world.instance("one")["size"] is None


def test_a_put_url_can_be_used_again_after_a_broken_upload(tmp_path: Path, engine: Engine) -> None:
    """Half a body leaves nothing behind; the whole body in a second PUT to the same URL is the object."""
    store = new_store("s3", tmp_path)
    world = World(Catalog(engine, {store.backend.id: store}, verify_uploads=True), engine, store)
    flow_id = world.make_flow()
    body = {"object_ids": ["one"], "storage_id": store.backend.id}
    [item] = world.catalog.allocation.allocate(CALLER, flow_id, body, BASE)["media_objects"]
    url, headers = item["put_url"]["url"], {"Content-Type": item["put_url"]["content-type"]}

    def breaks_off() -> Any:
        yield MEDIA[:4]
        raise ConnectionError("the connection broke")

    with pytest.raises(ConnectionError):
        httpx.put(url, content=breaks_off(), headers={**headers, "Content-Length": str(len(MEDIA))})
    assert "has no bytes" in world.register(flow_id, segment(0, "one"))[0].message
    assert httpx.put(url, content=MEDIA, headers=headers).is_success
    assert world.register(flow_id, segment(0, "one")) == []
    assert world.instance("one")["size"] == len(MEDIA)
