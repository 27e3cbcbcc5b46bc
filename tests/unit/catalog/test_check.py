"""What a consistency check finds, what it repairs, and what it leaves alone."""

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.catalog import Catalog, Limits
from storage.catalog.check import findings
from storage.catalog.check.findings import (
    MISSING_BYTES,
    MISSING_OBJECT,
    UNCHECKED_BACKEND,
    UNKNOWN_BYTES,
    WRONG_CONTENT,
    WRONG_COUNT,
    WRONG_EXPIRY,
    Finding,
)
from storage.catalog.clock import SECOND
from storage.errors import Invalid
from storage.tables.conditions import equals
from tests.conformance.kit.documents import init_flow
from tests.unit.catalogs import DEFAULT_BACKEND, SECOND_BACKEND, World, open_world

LIMITS = Limits(min_object_timeout_s=600, object_grace_s=60, async_deletion_threshold=5, deletion_batch=2)
OLD_S = 661
"""Seconds after which no upload can be in progress."""


@pytest.fixture(autouse=True)
def _many_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "_PAGE", 3)
    monkeypatch.setattr(findings, "_BATCH", 2)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, LIMITS) as world:
        yield world


@pytest.fixture
def filled(world: World) -> str:
    """A flow with five objects, o0 to o4, uploaded long ago."""
    flow_id = world.make_flow()
    for n in range(5):
        world.add_object(flow_id, f"o{n}", at(n))
    world.clock.forward(OLD_S)
    return flow_id


def at(n: int) -> str:
    return f"[{n}:0_{n + 1}:0)"


def check(world: World, *, repair: bool = False, storage_id: str | None = None) -> list[Finding]:
    return list(world.catalog.consistency.check(repair=repair, storage_id=storage_id))


def kinds_and_ids(findings: list[Finding]) -> list[tuple[str, str | None]]:
    return sorted((each.kind, each.object_id) for each in findings)


def write_unknown(world: World, object_id: str, age_s: float = OLD_S) -> None:
    """Write bytes that the catalogue does not know."""
    store = world.stores[DEFAULT_BACKEND]
    store.write(object_id, "video/mp2t", iter([b"stray"]))
    moment = world.clock.now / SECOND - age_s
    os.utime(store._file_of(object_id), (moment, moment))


def repair_all(world: World) -> None:
    """Repair everything; assert that nothing is left."""
    assert all(each.repaired for each in check(world, repair=True))
    assert check(world) == []


def corrupt(world: World, table: str, values: dict[str, object] | None, **key: object) -> None:
    """Set columns of a row to values that the server would never write, or remove the row."""
    with world.engine.write() as tx:
        changed = tx.delete(table, equals(**key)) if values is None else tx.update(table, equals(**key), values)
    assert changed


def test_a_consistent_catalogue_has_no_findings(world: World, filled: str) -> None:
    again = {"object_id": "o1", "timerange": at(2), "ts_offset": "1:0"}
    assert world.register(world.make_flow(), {"object_id": "o1", "timerange": at(1)}, again) == []
    with_init = world.make_flow(init_flow())
    world.allocate(with_init, "init", content_type="application/octet-stream")
    for n in range(2):
        world.add_object(with_init, f"m{n}", at(n), init_object_id="init")
    world.catalog.copies.copy("o2", SECOND_BACKEND)
    world.allocate(filled, "never-uploaded", content=None)
    world.delete_segments(filled, at(4))
    assert check(world) == []
    world.clock.forward(OLD_S)
    assert check(world) == []
    world.run_background_work()
    assert check(world, repair=True) == []
    assert not world.has_bytes("o4")


def test_missing_bytes_are_reported_and_nothing_is_deleted(world: World, filled: str) -> None:
    world.stores[DEFAULT_BACKEND].delete("o2")
    [finding] = check(world, repair=True)
    assert (finding.kind, finding.object_id, finding.storage_id) == (MISSING_BYTES, "o2", DEFAULT_BACKEND)
    assert not finding.repaired
    assert len(world.timeranges(filled)) == 5
    assert kinds_and_ids(check(world)) == [(MISSING_BYTES, "o2")]


def test_a_damaged_file_is_reported_and_hides_no_other_finding(world: World, filled: str) -> None:
    store = world.stores[DEFAULT_BACKEND]
    os.truncate(store._file_of("o2"), 7)
    store.delete("o3")
    write_unknown(world, "stray")
    assert kinds_and_ids(check(world)) == [(MISSING_BYTES, "o2"), (MISSING_BYTES, "o3"), (UNKNOWN_BYTES, "stray")]


def test_bytes_of_an_upload_in_progress_are_not_missing(world: World) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "a", "b", content=None)
    assert world.register(flow_id, {"object_id": "a", "timerange": at(0)}) == []
    assert check(world) == []
    world.clock.forward(OLD_S)
    assert kinds_and_ids(check(world)) == [(MISSING_BYTES, "a")]


def test_an_object_without_instances_is_reported(world: World, filled: str) -> None:
    corrupt(world, "instances", None, object_id="o0")
    found = check(world)
    assert kinds_and_ids(found) == [(MISSING_BYTES, "o0"), (UNKNOWN_BYTES, "o0")]


def test_unknown_bytes_are_removed_by_the_removal_job(world: World, filled: str) -> None:
    write_unknown(world, "stray")
    [finding] = check(world)
    assert (finding.kind, finding.object_id, finding.storage_id) == (UNKNOWN_BYTES, "stray", DEFAULT_BACKEND)
    assert not finding.repaired
    assert world.has_bytes("stray")
    repair_all(world)
    assert world.jobs() == [("removal", "waiting")]
    world.run_background_work()
    assert not world.has_bytes("stray")
    assert world.has_bytes("o0")


def test_recent_unknown_bytes_are_skipped(world: World, filled: str) -> None:
    write_unknown(world, "stray", age_s=OLD_S - 2)
    assert check(world, repair=True) == []
    world.clock.forward(2)
    assert kinds_and_ids(check(world)) == [(UNKNOWN_BYTES, "stray")]


def test_bytes_being_copied_or_removed_are_known(world: World, filled: str) -> None:
    write_unknown(world, "copied")
    write_unknown(world, "removed")
    place = {"storage_id": DEFAULT_BACKEND, "object_id": "removed", "due": 0}
    job = {"kind": "copy", "key": f"{DEFAULT_BACKEND} copied", "attempts": 0, "created": 0, "doc": {}}
    with world.engine.write() as tx:
        tx.insert("garbage", [place])
        tx.insert("jobs", [job])
    assert check(world, repair=True) == []


@pytest.mark.parametrize("recorded", [{"segments": 7}, None])
def test_wrong_counts_are_repaired(world: World, filled: str, recorded: dict[str, object] | None) -> None:
    corrupt(world, "object_refs", recorded, object_id="o1", flow_id=filled)
    [finding] = check(world)
    assert (finding.kind, finding.object_id, finding.flow_id) == (WRONG_COUNT, "o1", filled)
    repair_all(world)
    world.delete_segments(filled)
    world.clock.forward(OLD_S)
    world.run_background_work()
    assert not world.has_bytes("o1")
    assert check(world) == []


@pytest.mark.parametrize("recorded", [(0, 3), (1, 5), (2, 3), (0, 0), (9, 12)])
def test_segments_outside_the_content_range_are_found_after_repair(
    world: World, filled: str, recorded: tuple[int, int]
) -> None:
    empty, wide = world.make_flow(), world.make_flow()
    everything = [at(n) for n in range(5)]
    start, end = (second * 10**9 for second in recorded)
    corrupt(world, "flows", {"content_start": start, "content_end": end}, id=filled)
    corrupt(world, "flows", {"content_start": -5, "content_end": 5}, id=wide)
    assert world.timeranges(filled) != everything
    [finding] = check(world)
    assert (finding.kind, finding.flow_id) == (WRONG_CONTENT, filled)
    repair_all(world)
    assert world.timeranges(filled) == everything
    assert world.timeranges(empty) == []


def test_a_count_without_segments_is_removed(world: World, filled: str) -> None:
    another = world.make_flow()
    with world.engine.write() as tx:
        tx.insert("object_refs", [{"object_id": "o1", "flow_id": another, "segments": 2}])
    assert kinds_and_ids(check(world)) == [(WRONG_COUNT, "o1")]
    repair_all(world)


def test_counts_of_init_objects_are_compared(world: World) -> None:
    flow_id = world.make_flow(init_flow())
    world.allocate(flow_id, "init", content_type="application/octet-stream")
    for n in range(4):
        world.add_object(flow_id, f"m{n}", at(n), init_object_id="init")
    assert check(world) == []
    corrupt(world, "object_refs", {"segments": 1}, object_id="init", flow_id=flow_id)
    assert kinds_and_ids(check(world)) == [(WRONG_COUNT, "init")]
    repair_all(world)
    assert {row["segments"] for row in world.rows("object_refs") if row["object_id"] == "init"} == {4}


def test_an_object_in_use_is_saved_from_garbage_collection(world: World, filled: str) -> None:
    corrupt(world, "objects", {"expires": world.clock.now + SECOND}, id="o3")
    assert kinds_and_ids(check(world)) == [(WRONG_EXPIRY, "o3")]
    repair_all(world)
    world.clock.forward(OLD_S)
    world.run_background_work()
    assert world.has_bytes("o3")
    assert world.is_registered("o3")


def test_an_unreferenced_object_is_removed_after_the_grace_period(world: World, filled: str) -> None:
    world.delete_segments(filled, at(3))
    corrupt(world, "objects", {"expires": None}, id="o3")
    assert kinds_and_ids(check(world)) == [(WRONG_EXPIRY, "o3")]
    repair_all(world)
    world.run_background_work()
    assert world.has_bytes("o3")
    world.clock.forward(OLD_S)
    world.run_background_work()
    assert not world.has_bytes("o3")


def test_an_init_object_referenced_only_by_segments_is_kept(world: World) -> None:
    flow_id = world.make_flow(init_flow())
    world.allocate(flow_id, "init", content_type="application/octet-stream")
    world.add_object(flow_id, "m", at(0), init_object_id="init")
    corrupt(world, "object_refs", None, object_id="init")
    assert kinds_and_ids(check(world)) == [(WRONG_COUNT, "init")]
    repair_all(world)
    world.clock.forward(OLD_S)
    world.run_background_work()
    assert world.has_bytes("init")


def test_segments_of_a_missing_object_are_reported_and_kept(world: World, filled: str) -> None:
    corrupt(world, "objects", None, id="o1")
    found = check(world, repair=True)
    assert kinds_and_ids(found) == [(MISSING_OBJECT, "o1")]
    assert not found[0].repaired
    with world.engine.read() as tx:
        assert len(tx.select("segments", equals(flow_id=filled))) == 5


def test_an_unavailable_backend_is_reported_and_none_of_its_bytes_as_missing(world: World, filled: str) -> None:
    world.catalog.copies.copy("o2", SECOND_BACKEND)
    shutil.rmtree(world.folder / "second")
    world.clock.forward(OLD_S)
    [finding] = check(world, repair=True)
    assert (finding.kind, finding.storage_id) == (UNCHECKED_BACKEND, SECOND_BACKEND)


def test_a_backend_that_is_not_configured_is_reported_once(world: World, filled: str) -> None:
    gone = "33333333-3333-4333-8333-333333333333"
    with world.engine.write() as tx:
        rows = [{"object_id": f"o{n}", "instance": gone, "storage_id": gone, "created": 0} for n in range(3)]
        tx.insert("instances", rows)
    [finding] = check(world)
    assert (finding.kind, finding.storage_id) == (UNCHECKED_BACKEND, gone)
    assert "3 instances" in finding.detail


def test_a_single_backend_can_be_checked(world: World, filled: str) -> None:
    world.catalog.copies.copy("o2", SECOND_BACKEND)
    world.clock.forward(OLD_S)
    world.stores[SECOND_BACKEND].delete("o2")
    world.stores[DEFAULT_BACKEND].delete("o1")
    corrupt(world, "object_refs", {"segments": 7}, object_id="o1", flow_id=filled)
    assert kinds_and_ids(check(world, storage_id=SECOND_BACKEND)) == [(MISSING_BYTES, "o2")]
    with pytest.raises(Invalid, match="no-such-backend"):
        check(world, storage_id="no-such-backend")


@pytest.mark.parametrize("repair", [False, True])
def test_work_in_progress_is_never_reported(tmp_path: Path, repair: bool) -> None:
    """Objects are allocated, uploaded, registered, copied, deleted and removed during checks without a grace period."""
    with open_world(tmp_path, Limits(object_grace_s=0, async_deletion_threshold=5, deletion_batch=2)) as world:
        strict = Limits(min_object_timeout_s=0, object_grace_s=0)
        checked = Catalog(world.engine, world.stores, strict, world.clock).consistency
        done = threading.Event()
        failures: list[BaseException] = []

        def ingest(name: str) -> None:
            flow_id = world.make_flow()
            for n in range(40):
                world.add_object(flow_id, f"{name}{n}", at(n))
                assert (
                    world.register(
                        flow_id, {"object_id": f"{name}{n}", "timerange": at(n + 1000), "ts_offset": "1000:0"}
                    )
                    == []
                )
                if n % 4 == 0:
                    world.catalog.copies.copy(f"{name}{n}", SECOND_BACKEND)
                if n % 10 == 9:
                    world.delete_segments(flow_id, f"[{n - 9}:0_{n - 2}:0)")
                    world.delete_segments(flow_id, f"[{1000 + n - 9}:0_{1000 + n - 2}:0)")

        def run_worker() -> None:
            while not done.is_set():
                world.run_background_work()

        def collect_failures(work: object, *args: object) -> None:
            try:
                work(*args)  # type: ignore[operator]
            except BaseException as error:
                failures.append(error)

        worker = threading.Thread(target=collect_failures, args=(run_worker,))
        writers = [threading.Thread(target=collect_failures, args=(ingest, name)) for name in ("a", "b")]
        for thread in (worker, *writers):
            thread.start()
        found: list[Finding] = []
        rounds = 0
        while any(writer.is_alive() for writer in writers) or rounds < 3:
            found += checked.check(repair=repair)
            rounds += 1
        for writer in writers:
            writer.join()
        done.set()
        worker.join()
        assert failures == []
        assert found == []
        world.clock.forward(1)
        world.run_background_work()
        assert list(checked.check()) == []
