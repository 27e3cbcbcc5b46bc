"""Copies during which a process dies, a lease expires, or the object is deleted or copied by another request."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from storage.catalog.job_kinds import COPY
from storage.catalog.objects import copies
from storage.errors import Invalid, NotFound, Unavailable
from tests.unit.catalog.copy_steps import URL, die_in_a_copy, fail
from tests.unit.catalogs import CALLER, DEFAULT_BACKEND, SECOND_BACKEND, RemotePage, World


@pytest.mark.behaviour("OBJ-INST-POST-02", "OBJ-LIFE-07")
def test_an_object_deleted_during_its_copy_leaves_no_bytes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    flow_id = world.make_flow()
    world.add_object(flow_id, "a")
    write = world.stores[SECOND_BACKEND].write

    def write_then_delete_object(*args: object) -> object:
        stored = write(*args)  # type: ignore[arg-type]
        world.delete_segments(flow_id)
        return stored

    monkeypatch.setattr(world.stores[SECOND_BACKEND], "write", write_then_delete_object)
    with pytest.raises(NotFound):
        world.catalog.copies.copy(CALLER, "a", SECOND_BACKEND)
    world.clock.forward(10_000)
    world.run_background_work()
    assert not world.has_bytes("a", DEFAULT_BACKEND)
    assert not world.has_bytes("a", SECOND_BACKEND)


@pytest.mark.behaviour("OBJ-INST-POST-06", "A51")
def test_a_concurrent_copy_to_the_same_backend_is_rejected(
    world: World, placed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = world.stores[SECOND_BACKEND].write

    def write_during_another_copy(*args: object) -> object:
        with pytest.raises(Invalid, match="just"):
            world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
        return write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(world.stores[SECOND_BACKEND], "write", write_during_another_copy)
    world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
    assert world.backends_of(placed) == {DEFAULT_BACKEND, SECOND_BACKEND}


@pytest.mark.behaviour("OBJ-INST-POST-02")
@pytest.mark.parametrize("moment", ["before the bytes are written", "after the bytes are written"])
def test_a_worker_finishes_the_copy_of_a_dead_process(world: World, placed: str, moment: str) -> None:
    die_in_a_copy(world, placed, with_bytes=moment.startswith("after"))
    assert world.backends_of(placed) == {DEFAULT_BACKEND}
    assert world.jobs() == [(COPY, "running")]
    world.clock.forward(29)
    world.run_background_work()
    assert world.backends_of(placed) == {DEFAULT_BACKEND}, "the lease of the dead process has not expired"
    with pytest.raises(Invalid, match="just"):
        world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
    world.clock.forward(1)
    world.run_background_work()
    assert world.backends_of(placed) == {DEFAULT_BACKEND, SECOND_BACKEND}
    assert world.stores[SECOND_BACKEND].stat(placed) == world.stores[DEFAULT_BACKEND].stat(placed)
    assert world.jobs() == []
    assert world.rows("garbage") == []


@pytest.mark.behaviour("OBJ-INST-POST-02")
def test_a_copy_taken_over_by_a_worker_is_listed_once(
    world: World, placed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow request learns that it has lost its lease, and removes nothing of the worker's copy."""
    write = world.stores[SECOND_BACKEND].write

    def slowly(*args: Any) -> object:
        stored = write(*args)
        monkeypatch.setattr(world.stores[SECOND_BACKEND], "write", write)
        world.clock.forward(30)
        world.run_background_work()
        return stored

    monkeypatch.setattr(world.stores[SECOND_BACKEND], "write", slowly)
    with pytest.raises(Unavailable, match="handed to a background worker"):
        world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
    world.clock.forward(3600)
    world.run_background_work()
    assert world.backends_of(placed) == {DEFAULT_BACKEND, SECOND_BACKEND}
    assert world.has_bytes(placed, SECOND_BACKEND)
    assert world.jobs() == []


@pytest.mark.behaviour("OBJ-INST-POST-02")
def test_a_worker_retries_a_failed_copy(world: World, placed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    die_in_a_copy(world, placed)
    world.clock.forward(30)
    with monkeypatch.context() as broken:
        broken.setattr(world.stores[SECOND_BACKEND], "write", fail)
        world.run_background_work()
        assert world.jobs() == [(COPY, "waiting")]
        assert world.backends_of(placed) == {DEFAULT_BACKEND}
    world.clock.forward(30)
    world.run_background_work()
    assert world.backends_of(placed) == {DEFAULT_BACKEND, SECOND_BACKEND}


@pytest.mark.behaviour("OBJ-INST-POST-02", "OBJ-LIFE-07")
def test_the_copy_of_a_deleted_object_is_abandoned(world: World) -> None:
    flow_id = world.make_flow()
    world.add_object(flow_id, "a")
    die_in_a_copy(world, "a")
    world.clock.forward(30)
    world.stores[SECOND_BACKEND].write("a", "video/mp2t", iter([b"incomplete copy"]))
    world.delete_segments(flow_id)
    world.run_background_work()
    assert world.jobs() == []
    assert not world.has_bytes("a", SECOND_BACKEND)


@pytest.mark.behaviour("OBJ-INST-POST-02")
def test_a_slow_copy_keeps_its_lease(world: World, outside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chunk takes less time than the lease lasts, all of them together take more."""
    turned = 0.0

    def monotonic() -> float:
        return turned

    monkeypatch.setattr(copies, "time", SimpleNamespace(monotonic=monotonic))

    def slowly() -> Iterator[bytes]:
        nonlocal turned
        for _ in range(10):
            world.clock.forward(11)
            turned += 11
            yield b"piece"
            world.run_background_work()

    page = RemotePage([b"piece"] * 10, 50)
    monkeypatch.setattr(page, "chunks", slowly)
    world.other_servers.pages[URL] = page
    world.catalog.copies.copy(CALLER, outside, SECOND_BACKEND)
    assert world.has_bytes(outside, SECOND_BACKEND)
    assert world.jobs() == []
