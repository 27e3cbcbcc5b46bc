"""The bytes that principals have stored, on every engine: concurrent writers, and what is registered on S3."""

import threading
from pathlib import Path

import pytest

from storage.catalog import Catalog, Limits, StoredBytesQuota
from storage.catalog.caller import Caller
from storage.catalog.objects.instances import instance_name
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.errors import QuotaExceeded
from storage.media.filesystem import FileStore
from storage.media.object_store import ObjectStore
from storage.tables.engine import Engine
from tests.conformance.kit.documents import flow
from tests.engines.object_stores import KINDS, TYPE, new_store
from tests.unit.catalogs import BASE, Clock

SIZE = 10
UPLOADS = 6
"""Of each thread; together they have room for fewer."""
QUOTA = 85
ANN, BOB = Caller("ann", frozenset({"admin"})), Caller("bob", frozenset({"admin"}))


def make_flow(catalog: Catalog) -> str:
    document = flow()
    catalog.flows.put(ANN, document["id"], document)
    return str(document["id"])


def allocate(catalog: Catalog, caller: Caller, flow_id: str, store: ObjectStore, *ids: str) -> None:
    catalog.allocation.allocate(caller, flow_id, {"object_ids": list(ids), "storage_id": store.backend.id}, BASE)


def upload(catalog: Catalog, store: FileStore, object_id: str) -> bool:
    """Upload an object as the media plane does. Returns False if it exceeds the quota."""
    target = catalog.object_uploads.find(object_id, store.backend.id)
    received = store.begin(object_id, target.content_type)
    try:
        received.add(b"x" * SIZE)
        received.complete()
        catalog.object_uploads.publish(target, received, only_new=False)
    except QuotaExceeded:
        return False
    finally:
        received.abort()
    return True


def recorded(engine: Engine) -> dict[str, int]:
    with engine.read() as tx:
        return {row["principal"]: row["bytes"] for row in tx.select("usage")}


def charged(engine: Engine) -> dict[str, int]:
    """The sum of what instances are charged, by principal."""
    totals: dict[str, int] = {}
    with engine.read() as tx:
        for row in tx.select("instances"):
            if row["charged_to"] is not None:
                totals[row["charged_to"]] = totals.get(row["charged_to"], 0) + (row["charged_bytes"] or 0)
    return totals


def write_all(engine: Engine, store: ObjectStore) -> None:
    """Write the bytes of every instance, past this server."""
    with engine.read() as tx:
        names = [instance_name(row) for row in tx.select("instances")]
    for name in names:
        store.write(name, TYPE, iter([b"x" * SIZE]))


@pytest.mark.timeout(120)
def test_concurrent_uploads_and_removals_are_counted_exactly(engine: Engine, tmp_path: Path) -> None:
    store = new_store("files", tmp_path)
    assert isinstance(store, FileStore)
    clock = Clock()
    quota = StoredBytesQuota(QUOTA)
    catalog = Catalog(engine, {store.backend.id: store}, Limits(), clock, stored_bytes_quota=quota)
    flow_id = make_flow(catalog)
    allocate(catalog, ANN, flow_id, store, "expired")
    assert upload(catalog, store, "expired")
    clock.forward(660)
    ids = {(caller, thread): [f"{caller.name} {thread} {n}" for n in range(UPLOADS)]
           for caller in (ANN, BOB) for thread in range(2)}  # fmt: skip
    for (caller, _), names in ids.items():
        allocate(catalog, caller, flow_id, store, *names)
    stored: list[str] = []

    def upload_all(names: list[str]) -> None:
        stored.extend(name for name in names if upload(catalog, store, name))

    threads = [threading.Thread(target=upload_all, args=(names,)) for names in ids.values()]
    threads.append(threading.Thread(target=catalog.remove_expired))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    by_principal = {name: SIZE * sum(each.startswith(name) for each in stored) for name in ("ann", "bob")}
    assert recorded(engine) == charged(engine) == by_principal
    # The room of the expired object may have been free too late for some.
    assert by_principal["bob"] == QUOTA // SIZE * SIZE
    assert QUOTA // SIZE * SIZE - SIZE <= by_principal["ann"] <= QUOTA
    assert {name for names in ids.values() for name in names if store.stat(name)} == set(stored)


@pytest.mark.parametrize("kind", KINDS)
def test_verified_uploads_are_charged_when_they_are_registered(engine: Engine, tmp_path: Path, kind: str) -> None:
    store = new_store(kind, tmp_path)
    clock = Clock()
    quota = StoredBytesQuota(2 * SIZE)
    catalog = Catalog(engine, {store.backend.id: store}, Limits(), clock, verify_uploads=True, stored_bytes_quota=quota)
    flow_id = make_flow(catalog)
    names = ["one", "two", "three"]
    allocate(catalog, ANN, flow_id, store, *names)
    write_all(engine, store)
    segments = [{"object_id": name, "timerange": f"[{number}:0_{number + 1}:0)"} for number, name in enumerate(names)]
    assert catalog.segments.register(BOB, flow_id, segments[:2]) == []
    assert recorded(engine) == charged(engine) == {"ann": 2 * SIZE}
    with pytest.raises(QuotaExceeded):
        catalog.segments.register(BOB, flow_id, segments[2:])
    catalog.deletions.delete_segments(BOB, flow_id, SegmentFilter(object_id="one"))
    clock.forward(7 * 24 * 3600)  # until nobody can write it any more, by whatever URL
    catalog.remove_expired()
    assert recorded(engine) == charged(engine) == {"ann": SIZE}
    allocate(catalog, ANN, flow_id, store, "four")
    write_all(engine, store)
    assert catalog.segments.register(BOB, flow_id, [{**segments[2], "object_id": "four"}]) == []
    assert recorded(engine) == charged(engine) == {"ann": 2 * SIZE}
