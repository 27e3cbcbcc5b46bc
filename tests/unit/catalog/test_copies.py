"""Copies of objects between storage backends: listed once complete, never made twice, removed with their bytes."""

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from storage.catalog.job_kinds import COPY
from storage.catalog.objects import copies
from storage.errors import Invalid, NotFound, Unavailable
from tests.conformance.kit.documents import init_flow
from tests.unit.catalogs import DEFAULT_BACKEND, SECOND_BACKEND, RemotePage, World, open_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path) as world:
        yield world


@pytest.fixture
def placed(world: World) -> str:
    """The id of a registered object on the default backend."""
    world.add_object(world.make_flow(), "a")
    return "a"


@pytest.mark.behaviour("OBJ-INST-POST-01", "OBJ-INST-POST-03")
def test_a_copy_has_the_bytes_and_the_type_of_the_original(world: World, placed: str) -> None:
    world.catalog.copies.copy(placed, SECOND_BACKEND)
    assert world.stores[SECOND_BACKEND].stat(placed) == world.stores[DEFAULT_BACKEND].stat(placed)
    assert world.backends_of(placed) == {DEFAULT_BACKEND, SECOND_BACKEND}


@pytest.mark.behaviour("OBJ-INST-POST-02", "OBJ-21")
def test_a_failed_copy_is_not_listed_and_can_be_retried(
    world: World, placed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(world.stores[SECOND_BACKEND], "write", fail)
        with pytest.raises(Unavailable):
            world.catalog.copies.copy(placed, SECOND_BACKEND)
    assert world.backends_of(placed) == {DEFAULT_BACKEND}
    world.run_background_work()
    assert not world.has_bytes(placed, SECOND_BACKEND)
    assert world.jobs() == []
    world.catalog.copies.copy(placed, SECOND_BACKEND)
    assert world.backends_of(placed) == {DEFAULT_BACKEND, SECOND_BACKEND}


def fail(*_args: object) -> None:
    raise Unavailable("the store is unavailable")


@pytest.mark.behaviour("OBJ-INST-POST-06", "A51")
@pytest.mark.parametrize("target", [DEFAULT_BACKEND, SECOND_BACKEND])
def test_a_second_copy_on_the_same_backend_is_rejected(world: World, placed: str, target: str) -> None:
    world.catalog.copies.copy(placed, SECOND_BACKEND)
    with pytest.raises(Invalid) as raised:
        world.catalog.copies.copy(placed, target)
    assert raised.value.behaviour == "OBJ-INST-POST-06"


@pytest.mark.behaviour("OBJ-INST-POST-04", "OBJ-INST-POST-05", "OBJ-INST-POST-12")
def test_objects_without_bytes_and_unknown_backends_are_rejected(world: World, placed: str) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "allocated", "empty", content=None)
    assert world.register(flow_id, {"object_id": "empty", "timerange": "[0:0_1:0)"}) == []
    with pytest.raises(NotFound):
        world.catalog.copies.copy("allocated", SECOND_BACKEND)
    with pytest.raises(Invalid, match="could not be copied"):
        world.catalog.copies.copy("empty", SECOND_BACKEND)
    with pytest.raises(Invalid, match="not a storage backend"):
        world.catalog.copies.copy(placed, "33333333-3333-4333-8333-333333333333")


@pytest.mark.behaviour("OBJ-INST-DEL-01", "OBJ-INST-DEL-11")
@pytest.mark.parametrize(
    ("gone", "kept"), [(DEFAULT_BACKEND, SECOND_BACKEND), (SECOND_BACKEND, DEFAULT_BACKEND)], ids=["original", "copy"]
)
def test_a_removed_instance_is_unlisted_before_its_bytes_are_removed(
    world: World, placed: str, gone: str, kept: str
) -> None:
    world.catalog.copies.copy(placed, SECOND_BACKEND)
    world.catalog.objects.remove_instance(placed, gone, None)
    assert world.backends_of(placed) == {kept}
    assert world.has_bytes(placed, gone)
    world.run_background_work()
    assert not world.has_bytes(placed, gone)
    assert world.has_bytes(placed, kept)


@pytest.mark.behaviour("OBJ-INST-POST-01", "OBJ-INST-POST-06")
def test_a_removed_copy_can_be_made_again_once_its_bytes_are_gone(world: World, placed: str) -> None:
    world.catalog.copies.copy(placed, SECOND_BACKEND)
    world.catalog.objects.remove_instance(placed, SECOND_BACKEND, None)
    with pytest.raises(Unavailable, match="still being removed"):
        world.catalog.copies.copy(placed, SECOND_BACKEND)
    world.run_background_work()
    world.catalog.copies.copy(placed, SECOND_BACKEND)
    world.run_background_work()
    assert world.backends_of(placed) == {DEFAULT_BACKEND, SECOND_BACKEND}
    assert world.has_bytes(placed, SECOND_BACKEND)


@pytest.mark.behaviour("OBJ-INST-DEL-04", "OBJ-INST-DEL-05", "OBJ-INST-DEL-06", "A54", "A55", "A56")
def test_the_instance_to_remove_must_be_unambiguous_and_not_the_last(world: World, placed: str) -> None:
    with pytest.raises(Invalid, match="last instance"):
        world.catalog.objects.remove_instance(placed, DEFAULT_BACKEND, None)
    world.catalog.copies.copy(placed, SECOND_BACKEND)
    with pytest.raises(Invalid, match="two different"):
        world.catalog.objects.remove_instance(placed, DEFAULT_BACKEND, "second")
    with pytest.raises(NotFound):
        world.catalog.objects.remove_instance(placed, None, "third")
    world.catalog.objects.remove_instance(placed, SECOND_BACKEND, "second")
    assert world.backends_of(placed) == {DEFAULT_BACKEND}


@pytest.mark.behaviour("OBJ-INST-POST-13", "OBJ-INST-POST-14", "OBJ-INST-DEL-09", "INIT-06")
def test_an_init_object_is_not_copied_with_its_media_object(world: World) -> None:
    flow_id = world.make_flow(init_flow())
    world.allocate(flow_id, "init", "media")
    segment = {"object_id": "media", "timerange": "[0:0_1:0)", "init_object_id": "init"}
    assert world.register(flow_id, segment) == []
    world.catalog.copies.copy("media", SECOND_BACKEND)
    assert world.backends_of("init") == {DEFAULT_BACKEND}
    world.catalog.copies.copy("init", SECOND_BACKEND)
    world.catalog.objects.remove_instance("media", SECOND_BACKEND, None)
    assert world.backends_of("init") == {DEFAULT_BACKEND, SECOND_BACKEND}


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
        world.catalog.copies.copy("a", SECOND_BACKEND)
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
            world.catalog.copies.copy(placed, SECOND_BACKEND)
        return write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(world.stores[SECOND_BACKEND], "write", write_during_another_copy)
    world.catalog.copies.copy(placed, SECOND_BACKEND)
    assert world.backends_of(placed) == {DEFAULT_BACKEND, SECOND_BACKEND}


@pytest.mark.behaviour("OBJ-INST-POST-02")
@pytest.mark.parametrize("moment", ["before the bytes are written", "after the bytes are written"])
def test_a_worker_finishes_the_copy_of_a_dead_process(world: World, placed: str, moment: str) -> None:
    victim = multiprocessing.get_context("spawn").Process(
        target=die_while_copying, args=(world.folder, placed, moment.startswith("after"))
    )
    victim.start()
    victim.join(60)
    assert victim.exitcode == DIED
    assert world.backends_of(placed) == {DEFAULT_BACKEND}
    assert world.jobs() == [(COPY, "running")]
    world.clock.forward(29)
    world.run_background_work()
    assert world.backends_of(placed) == {DEFAULT_BACKEND}, "the lease of the dead process has not expired"
    with pytest.raises(Invalid, match="just"):
        world.catalog.copies.copy(placed, SECOND_BACKEND)
    world.clock.forward(1)
    world.run_background_work()
    assert world.backends_of(placed) == {DEFAULT_BACKEND, SECOND_BACKEND}
    assert world.stores[SECOND_BACKEND].stat(placed) == world.stores[DEFAULT_BACKEND].stat(placed)
    assert world.jobs() == []
    assert world.rows("garbage") == []


DIED = 9


def die_while_copying(folder: Path, object_id: str, with_bytes: bool) -> None:
    """Run in a separate process, which exits in the middle of a copy."""
    with open_world(folder) as world:
        store = world.stores[SECOND_BACKEND]
        write = store.write

        def write_and_exit(*args: Any) -> None:
            if with_bytes:
                write(*args)
            os._exit(DIED)

        store.write = write_and_exit  # type: ignore[method-assign, assignment]
        world.catalog.copies.copy(object_id, SECOND_BACKEND)


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
        world.catalog.copies.copy(placed, SECOND_BACKEND)
    world.clock.forward(3600)
    world.run_background_work()
    assert world.backends_of(placed) == {DEFAULT_BACKEND, SECOND_BACKEND}
    assert world.has_bytes(placed, SECOND_BACKEND)
    assert world.jobs() == []


@pytest.mark.behaviour("OBJ-INST-POST-02")
def test_a_worker_retries_a_failed_copy(world: World, placed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    abandon(world, placed)
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
    abandon(world, "a")
    world.stores[SECOND_BACKEND].write("a", "video/mp2t", iter([b"incomplete copy"]))
    world.delete_segments(flow_id)
    world.run_background_work()
    assert world.jobs() == []
    assert not world.has_bytes("a", SECOND_BACKEND)


def abandon(world: World, object_id: str) -> None:
    """Begin a copy to the second backend in a process that dies at once, and let its lease expire."""
    victim = multiprocessing.get_context("spawn").Process(
        target=die_while_copying, args=(world.folder, object_id, False)
    )
    victim.start()
    victim.join(60)
    assert victim.exitcode == DIED
    world.clock.forward(30)


URL = "https://elsewhere.example/x"


@pytest.fixture
def outside(world: World) -> str:
    """The id of an object whose only instance is a URL on another server."""
    segment = {"object_id": "x", "timerange": "[0:0_1:0)", "get_urls": [{"url": URL, "label": "elsewhere"}]}
    assert world.register(world.make_flow(), segment) == []
    return "x"


@pytest.mark.behaviour("OBJ-INST-POST-01", "OBJ-INST-POST-03")
@pytest.mark.parametrize("announced", [True, False], ids=["announced size", "unknown size"])
def test_an_uncontrolled_object_is_copied_from_its_url(world: World, outside: str, announced: bool) -> None:
    pieces = [b"x" * 70_000, b"", b"y" * 70_000, b"z"]
    world.other_servers.pages[URL] = RemotePage(pieces, 140_001 if announced else None, "video/other")
    world.catalog.copies.copy(outside, SECOND_BACKEND)
    with world.stores[SECOND_BACKEND].open(outside) as file:
        assert file.read() == b"".join(pieces)
    stored = world.stores[SECOND_BACKEND].stat(outside)
    assert stored is not None
    assert stored.content_type == "video/mp2t", "the flow's container, whatever the other server announces"
    shown = world.object(outside).document["get_urls"]
    assert {each.get("storage_id") for each in shown} == {None, SECOND_BACKEND}


@pytest.mark.behaviour("OBJ-INST-POST-02", "OBJ-INST-POST-04")
@pytest.mark.parametrize(
    "page",
    [
        None,
        RemotePage([b"four"], size=5),
        RemotePage([b"four"], size=3),
        RemotePage([b"", b"more than that"], size=0),
        RemotePage([b"four"], size=8, breaks=True),
        RemotePage([b"four"], breaks=True),
    ],
    ids=["unreachable", "too short", "too long", "not empty", "broken off", "broken off, unknown size"],
)
def test_an_incomplete_download_is_not_a_copy(world: World, outside: str, page: RemotePage | None) -> None:
    if page is not None:
        world.other_servers.pages[URL] = page
    with pytest.raises((Invalid, Unavailable), match="could not be copied"):
        world.catalog.copies.copy(outside, SECOND_BACKEND)
    assert {each.get("storage_id") for each in world.object(outside).document["get_urls"]} == {None}
    assert not world.has_bytes(outside, SECOND_BACKEND)
    world.run_background_work()
    assert world.jobs() == []
    assert world.rows("garbage") == []
    world.other_servers.pages[URL] = RemotePage([b"whole"], 5)
    world.catalog.copies.copy(outside, SECOND_BACKEND)
    with world.stores[SECOND_BACKEND].open(outside) as file:
        assert file.read() == b"whole"


@pytest.mark.behaviour("OBJ-INST-POST-04")
def test_a_forbidden_url_is_not_copied_from(world: World) -> None:
    url = {"url": "https://forbidden/x", "label": "elsewhere"}
    segment = {"object_id": "x", "timerange": "[0:0_1:0)", "get_urls": [url]}
    assert world.register(world.make_flow(), segment) == []
    with pytest.raises(Invalid, match="must not be reached"):
        world.catalog.copies.copy("x", SECOND_BACKEND)
    world.run_background_work()
    assert world.jobs() == []


@pytest.mark.behaviour("OBJ-INST-POST-01")
def test_a_copy_is_made_from_any_instance_that_has_the_bytes(world: World, placed: str) -> None:
    world.catalog.objects.add_uncontrolled(placed, URL, "elsewhere")
    world.other_servers.pages[URL] = RemotePage([b"from elsewhere"], 14)
    world.stores[DEFAULT_BACKEND].delete(placed)
    world.catalog.copies.copy(placed, SECOND_BACKEND)
    with world.stores[SECOND_BACKEND].open(placed) as file:
        assert file.read() == b"from elsewhere"


@pytest.mark.behaviour("OBJ-INST-POST-02")
def test_bytes_that_the_store_corrupted_are_not_a_copy(
    world: World, placed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = world.stores[SECOND_BACKEND]
    write = store.write

    def write_reversed(object_id: str, content_type: str, chunks: Iterator[bytes]) -> object:
        return write(object_id, content_type, (piece[::-1] for piece in chunks))

    monkeypatch.setattr(store, "write", write_reversed)
    with pytest.raises(Unavailable, match="are not those that were read"):
        world.catalog.copies.copy(placed, SECOND_BACKEND)
    assert world.backends_of(placed) == {DEFAULT_BACKEND}
    world.run_background_work()
    assert not world.has_bytes(placed, SECOND_BACKEND)


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
    world.catalog.copies.copy(outside, SECOND_BACKEND)
    assert world.has_bytes(outside, SECOND_BACKEND)
    assert world.jobs() == []
