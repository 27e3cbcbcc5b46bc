"""Deletions beside ingest, and killed in the middle, on every engine: nothing is lost, nothing half done (F3, F13)."""

import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import Limits
from storage.catalog.deleted import restoration
from storage.catalog.flows.metadata_version import next_metadata_version
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.errors import InUse, NotFound
from tests.conformance.kit.documents import Json, flow
from tests.unit.catalog.seconds import at
from tests.unit.catalogs import CALLER, World, open_world

LIMITS = Limits(soft_delete_grace_s=3600, deletion_batch=2)
SEGMENTS = 6
KILLS = 3
_TIMEOUT_S = 60
_BLOCKED_S = 1
"""How long a writer is waited for that an engine with a single writer blocks."""


def segment(flow_id: str, n: int) -> Json:
    urls = [{"label": "elsewhere", "url": "https://media.example/object"}]
    return {"object_id": f"{flow_id}-{n}", "timerange": at(n), "get_urls": urls}


def ingest(world: World, flow_id: str, first: int, added: list[str], started: threading.Event) -> None:
    """Register segments, every second one from `first` on, until there is no such flow."""
    for n in range(first, 10_000, 2):
        try:
            assert world.register(flow_id, segment(flow_id, n)) == []
        except NotFound:
            return
        added.append(at(n))
        started.set()
    raise AssertionError("the flow was not deleted")


def test_every_segment_registered_before_a_deletion_is_restored(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        flow_id = world.make_flow()
        added: list[list[str]] = [[], []]
        events = [threading.Event() for _ in added]
        threads = [
            threading.Thread(target=ingest, args=(world, flow_id, n, added[n], events[n])) for n in range(len(added))
        ]
        for thread in threads:
            thread.start()
        assert all(event.wait(_TIMEOUT_S) for event in events)
        assert world.catalog.deletions.delete_flow(CALLER, flow_id) is None
        for thread in threads:
            thread.join(_TIMEOUT_S)
        assert not any(thread.is_alive() for thread in threads)
        world.catalog.deleted.restore_flow(CALLER, flow_id)
        assert sorted(world.timeranges(flow_id)) == sorted(added[0] + added[1])
        assert list(world.catalog.consistency.check()) == []


def test_a_flow_is_not_deleted_under_a_segment_that_is_being_registered(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, Limits(), engine_url) as world:
        flow_ids = [world.make_flow() for _ in range(8)]
        barrier = threading.Barrier(2)
        registered: set[str] = set()

        def register() -> None:
            for flow_id in flow_ids:
                barrier.wait(_TIMEOUT_S)
                try:
                    world.register(flow_id, segment(flow_id, 0))
                except NotFound:
                    continue
                registered.add(flow_id)

        thread = threading.Thread(target=register)
        thread.start()
        deleted: set[str] = set()
        for flow_id in flow_ids:
            barrier.wait(_TIMEOUT_S)
            try:
                world.catalog.deletions.delete_flow(CALLER, flow_id, cascade=False)
            except InUse:
                continue
            deleted.add(flow_id)
        thread.join(_TIMEOUT_S)
        assert deleted.isdisjoint(registered)
        assert deleted | registered == set(flow_ids)
        assert {row["flow_id"] for row in world.rows("segments")} == registered


def test_a_change_of_a_collection_is_kept_when_a_member_is_restored_meanwhile(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change comes between the read and the write of the collector where the engine lets it, else afterwards."""
    with open_world(tmp_path, LIMITS, engine_url) as world:
        member, collector = world.make_flow(), world.make_flow()
        world.set_collection(collector, member)
        world.catalog.deletions.delete_flow(CALLER, member)
        change = threading.Thread(target=world.catalog.flows.set_member, args=(CALLER, collector, "label", "changed"))

        def next_version(requested: object, current: str | None) -> str:
            if change.ident is None:
                change.start()
                change.join(_BLOCKED_S)
            return next_metadata_version(requested, current)

        monkeypatch.setattr(restoration, "next_metadata_version", next_version)
        world.catalog.deleted.restore_flow(CALLER, member)
        change.join(_TIMEOUT_S)
        assert not change.is_alive()
        found = world.catalog.flows.get(CALLER, collector)
        assert found["label"] == "changed"
        assert [item["id"] for item in found["flow_collection"]] == [member]


def delete_and_restore(folder: Path, url: str, flow_id: str, turns: Any) -> None:
    """Delete and restore a flow again and again, and tell of each turn."""
    with open_world(folder, LIMITS, url) as world:
        while True:
            world.catalog.deletions.delete_flow(CALLER, flow_id)
            turns.put("deleted")
            world.catalog.deleted.restore_flow(CALLER, flow_id)
            turns.put("restored")


@pytest.mark.timeout(300)
def test_a_killed_deletion_or_restoration_is_done_or_not_begun(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        flow_id, collector = world.make_flow(flow(tags={"a": "b"})), world.make_flow()
        world.set_collection(collector, flow_id)
        assert world.register(flow_id, *(segment(flow_id, n) for n in range(SEGMENTS))) == []
    context = multiprocessing.get_context("spawn")
    for turn in range(KILLS):
        turns = context.Queue()
        process = context.Process(target=delete_and_restore, args=(tmp_path, engine_url, flow_id, turns))
        process.start()
        for _ in range(2 * turn + 1):
            turns.get(timeout=_TIMEOUT_S)
        process.kill()
        process.join(_TIMEOUT_S)
        with open_world(tmp_path, LIMITS, engine_url) as world:
            is_there = any(row["id"] == flow_id for row in world.rows("flows"))
            kept = [row["id"] for row in world.rows("deleted_flows")]
            members = world.catalog.flows.get(CALLER, collector).get("flow_collection")
            assert (kept == []) is is_there
            assert bool(members) is is_there
            if not is_there:
                world.catalog.deleted.restore_flow(CALLER, flow_id)
            assert world.timeranges(flow_id) == [at(n) for n in range(SEGMENTS)]
            assert world.catalog.flows.get(CALLER, flow_id)["collected_by"] == [collector]
            kinds = {row["kind"] for row in world.rows("tags") if row["owner_id"] == flow_id}
            assert kinds == {"flow"}
            assert list(world.catalog.consistency.check()) == []


def test_a_deletion_of_segments_goes_on_while_their_flow_is_deleted_and_restored(
    engine_url: str, tmp_path: Path
) -> None:
    limits = Limits(soft_delete_grace_s=3600, deletion_batch=2, async_deletion_threshold=3)
    with open_world(tmp_path, limits, engine_url) as world:
        flow_id = world.make_flow()
        assert world.register(flow_id, *(segment(flow_id, n) for n in range(SEGMENTS))) == []
        assert world.catalog.deletions.delete_segments(CALLER, flow_id, SegmentFilter()) is not None
        (claim,) = world.claim("flow-deletion")
        assert world.run_step(claim)
        assert world.catalog.deletions.delete_flow(CALLER, flow_id) is None
        assert world.run_step(claim)
        world.catalog.deleted.restore_flow(CALLER, flow_id)
        assert world.timeranges(flow_id) == [at(4), at(5)]
        world.run_job(claim)
        assert world.timeranges(flow_id) == []
        assert list(world.catalog.consistency.check()) == []
