"""F5 and F6 on every engine: what a batch writes, and two of them at once."""

import threading
from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.catalog.paging import PageRequest
from storage.catalog.tags import TagFilter
from storage.errors import AlreadyExists, TamsError
from storage.tables.engine import Engine
from tests.conformance.kit.documents import MULTI, Json, flow
from tests.conformance.kit.ids import fresh
from tests.engines.object_stores import new_store
from tests.unit.catalogs import BASE, CALLER, Clock, OtherServers

TABLES = ("flows", "sources", "tags", "classes", "collections", "source_collections", "objects", "instances", "events")


@pytest.fixture
def catalog(engine: Engine, tmp_path: Path) -> Catalog:
    store = new_store("files", tmp_path)
    return Catalog(engine, {store.backend.id: store}, clock=Clock(), outbound=OtherServers())


def rows(engine: Engine) -> dict[str, int]:
    with engine.read() as tx:
        return {table: len(tx.select(table)) for table in TABLES}


def storage_id(catalog: Catalog) -> str:
    [backend] = catalog.service.backends(CALLER, TagFilter(), PageRequest()).items
    return str(backend["id"])


def programme(*members: Json) -> Json:
    items = [{"id": member["id"], "role": "any"} for member in members]
    return {"id": fresh(), "source_id": fresh(), "format": MULTI, "flow_collection": items}


def test_a_batch_writes_what_single_requests_write(engine: Engine, catalog: Catalog) -> None:
    """F5: rows of every table, and an event for each new flow and source."""
    catalog.webhooks.create(CALLER, {"url": "https://receiver.example/", "events": ["flows/created"]}, BASE)
    before = rows(engine)
    flows = [flow(tags={"studio": ["A", "B"], "auth_classes": ["a_read"]}) for _ in range(3)]
    outcomes = catalog.flow_creation.create(CALLER, [programme(*flows), *flows])
    assert not any(isinstance(outcome, TamsError) for outcome in outcomes)
    after = rows(engine)
    assert {table: after[table] - before[table] for table in TABLES} == {
        "flows": 4,
        "sources": 4,
        "tags": 18,
        "classes": 6,
        "collections": 3,
        "source_collections": 3,
        "objects": 0,
        "instances": 0,
        "events": 8,
    }
    for outcome in outcomes:
        assert isinstance(outcome, dict)
        assert catalog.flows.get(CALLER, outcome["id"]) == outcome


def test_an_existing_member_and_its_source_are_reported_as_updated(engine: Engine, catalog: Catalog) -> None:
    """F5: what exists changes by being collected; what is new is reported once, as it ends up."""
    member, new = flow(), flow()
    catalog.flows.put(CALLER, member["id"], member)
    catalog.webhooks.create(CALLER, {"url": "https://receiver.example/", "events": ["flows/created"]}, BASE)
    collector = programme(member, new)
    catalog.flow_creation.create(CALLER, [collector, new])
    with engine.read() as tx:
        messages = [event["doc"]["message"] for event in tx.select("events", order=("position",))]
    seen = sorted((each["event_type"], *(doc["id"] for doc in each["event"].values())) for each in messages)
    assert seen == sorted(
        [
            *(("sources/created", each["source_id"]) for each in (collector, new)),
            *(("flows/created", each["id"]) for each in (collector, new)),
            ("sources/updated", member["source_id"]),
            ("flows/updated", member["id"]),
        ]
    )


def test_two_batches_never_create_an_id_twice(engine: Engine, catalog: Catalog) -> None:
    """F5 and F6: of two that run at once, each item is created by one, and the other is told that it exists."""
    owner = flow()
    catalog.flows.put(CALLER, owner["id"], owner)
    flows = [flow() for _ in range(20)]
    sources = [{"id": fresh(), "format": MULTI} for _ in range(20)]
    objects = [{"flow_id": owner["id"], "object_id": fresh(), "storage_id": storage_id(catalog)} for _ in range(20)]
    found: list[list[Json | TamsError]] = []
    start = threading.Barrier(2)

    def create(step: int) -> None:
        start.wait()
        found.append(
            [
                *catalog.flow_creation.create(CALLER, flows[::step])[::step],
                *catalog.source_creation.create(CALLER, sources[::step])[::step],
                *catalog.object_batch.register(CALLER, objects[::step], BASE)[::step],
            ]
        )

    threads = [threading.Thread(target=create, args=(step,)) for step in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    for ours, theirs in zip(*found, strict=True):
        assert isinstance(ours, AlreadyExists) != isinstance(theirs, AlreadyExists)
    counted = rows(engine)
    assert (counted["flows"], counted["sources"], counted["objects"]) == (21, 41, 20)


def test_a_source_without_flows_is_kept_and_clean(engine: Engine, catalog: Catalog) -> None:
    """F5: background work leaves it alone, and the check of the catalogue finds nothing wrong with it."""
    [source] = catalog.source_creation.create(CALLER, [{"format": MULTI, "label": "Studio"}])
    assert isinstance(source, dict)
    while catalog.remove_expired():
        pass
    assert catalog.sources.get(CALLER, source["id"]) == source
    document = {"id": fresh(), "source_id": source["id"], "format": MULTI}
    catalog.flows.put(CALLER, document["id"], document)
    catalog.deletions.delete_flow(CALLER, document["id"])
    assert rows(engine)["sources"] == 0


def test_objects_elsewhere_need_no_upload(engine: Engine, tmp_path: Path) -> None:
    """F6: where segments are registered only once the bytes of their objects have arrived, too."""
    store = new_store("files", tmp_path)
    catalog = Catalog(engine, {store.backend.id: store}, verify_uploads=True)
    owner = flow()
    catalog.flows.put(CALLER, owner["id"], owner)
    url = {"url": "https://archive.example/1.ts", "label": "archive"}
    items = [
        {"flow_id": owner["id"], "object_id": "elsewhere", "get_urls": [url, {**url, "label": "copy"}]},
        {"flow_id": owner["id"], "object_id": "missing", "storage_id": store.backend.id},
    ]
    catalog.object_batch.register(CALLER, items, BASE)
    segments = [{"object_id": item["object_id"], "timerange": f"[{n}:0_{n + 1}:0)"} for n, item in enumerate(items)]
    [(item, error)] = catalog.segments.register(CALLER, owner["id"], segments)
    assert (item["object_id"], error.behaviour) == ("missing", "SEG-POST-65")


def test_objects_that_no_segment_uses_expire(engine: Engine, catalog: Catalog) -> None:
    """F6: those with URLs of their own as well, after the same time."""
    owner = flow()
    catalog.flows.put(CALLER, owner["id"], owner)
    url = {"url": "https://archive.example/1.ts", "label": "archive"}
    items = [{"flow_id": owner["id"], "storage_id": storage_id(catalog)}, {"flow_id": owner["id"], "get_urls": [url]}]
    items += [{**items[1], "object_id": "used"}]
    catalog.object_batch.register(CALLER, items, BASE)
    assert catalog.segments.register(CALLER, owner["id"], [{"object_id": "used", "timerange": "[0:0_1:0)"}]) == []
    with engine.read() as tx:
        expires = {row["expires"] for row in tx.select("objects")}
    assert len(expires) == 2
    clock = catalog.clock
    assert isinstance(clock, Clock)
    clock.forward(660)
    while catalog.remove_expired():
        pass
    with engine.read() as tx:
        assert [row["id"] for row in tx.select("objects")] == ["used"]
        assert [row["url"] for row in tx.select("instances")] == [url["url"]]
