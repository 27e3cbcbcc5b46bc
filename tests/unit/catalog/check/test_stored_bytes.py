"""What a consistency check finds and repairs in the stored bytes (F15), and what it leaves alone."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from storage.catalog import Catalog, Limits
from storage.catalog.check.findings import (
    MISSING_BYTES,
    UNCHECKED_BACKEND,
    UNKNOWN_BYTES,
    Finding,
)
from storage.catalog.clock import SECOND
from storage.errors import Invalid
from tests.conformance.kit.documents import init_flow
from tests.unit.catalog.check.checks import CHECK_LIMITS, OLD_S, check, corrupt, kinds_and_ids, repair_all
from tests.unit.catalog.seconds import at
from tests.unit.catalogs import CALLER, DEFAULT_BACKEND, SECOND_BACKEND, World, open_world

LIMITS = CHECK_LIMITS


def write_unknown(world: World, object_id: str, age_s: float = OLD_S) -> None:
    """Write bytes that the catalogue does not know."""
    store = world.stores[DEFAULT_BACKEND]
    store.write(object_id, "video/mp2t", iter([b"stray"]))
    moment = world.clock.now / SECOND - age_s
    os.utime(store.file_of(object_id), (moment, moment))


def test_a_consistent_catalogue_has_no_findings(world: World, filled: str) -> None:
    again = {"object_id": "o1", "timerange": at(2), "ts_offset": "1:0"}
    assert world.register(world.make_flow(), {"object_id": "o1", "timerange": at(1)}, again) == []
    with_init = world.make_flow(init_flow())
    world.allocate(with_init, "init", content_type="application/octet-stream")
    for n in range(2):
        world.add_object(with_init, f"m{n}", at(n), init_object_id="init")
    world.catalog.copies.copy(CALLER, "o2", SECOND_BACKEND)
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
    os.truncate(store.file_of("o2"), 7)
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


def test_an_unavailable_backend_is_reported_and_none_of_its_bytes_as_missing(world: World, filled: str) -> None:
    world.catalog.copies.copy(CALLER, "o2", SECOND_BACKEND)
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
    world.catalog.copies.copy(CALLER, "o2", SECOND_BACKEND)
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
                    world.catalog.copies.copy(CALLER, f"{name}{n}", SECOND_BACKEND)
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
