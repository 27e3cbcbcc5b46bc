"""Copies of objects between storage backends: listed once complete, never made twice, removed with their bytes."""

from collections.abc import Iterator

import pytest

from storage.errors import Invalid, NotFound, Unavailable
from storage.waiting import WouldWaitForOthers, not_for_others
from tests.conformance.kit.documents import init_flow
from tests.unit.catalog.copy_steps import fail
from tests.unit.catalogs import CALLER, DEFAULT_BACKEND, SECOND_BACKEND, World


@pytest.mark.behaviour("OBJ-INST-POST-01", "OBJ-INST-POST-03")
def test_a_copy_has_the_bytes_and_the_type_of_the_original(world: World, placed: str) -> None:
    world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
    assert world.stores[SECOND_BACKEND].stat(placed) == world.stores[DEFAULT_BACKEND].stat(placed)
    assert world.backends_of(placed) == {DEFAULT_BACKEND, SECOND_BACKEND}


@pytest.mark.behaviour("OBJ-INST-POST-02", "OBJ-21")
def test_a_failed_copy_is_not_listed_and_can_be_retried(
    world: World, placed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(world.stores[SECOND_BACKEND], "write", fail)
        with pytest.raises(Unavailable):
            world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
    assert world.backends_of(placed) == {DEFAULT_BACKEND}
    world.run_background_work()
    assert not world.has_bytes(placed, SECOND_BACKEND)
    assert world.jobs() == []
    world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
    assert world.backends_of(placed) == {DEFAULT_BACKEND, SECOND_BACKEND}


def test_a_copy_does_not_begin_in_a_thread_that_others_need(world: World, placed: str) -> None:
    with not_for_others(), pytest.raises(WouldWaitForOthers):
        world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
    assert world.jobs() == []
    world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)


@pytest.mark.behaviour("OBJ-INST-POST-06", "A51")
@pytest.mark.parametrize("target", [DEFAULT_BACKEND, SECOND_BACKEND])
def test_a_second_copy_on_the_same_backend_is_rejected(world: World, placed: str, target: str) -> None:
    world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
    with pytest.raises(Invalid) as raised:
        world.catalog.copies.copy(CALLER, placed, target)
    assert raised.value.behaviour == "OBJ-INST-POST-06"


@pytest.mark.behaviour("OBJ-INST-POST-04", "OBJ-INST-POST-05", "OBJ-INST-POST-12")
def test_objects_without_bytes_and_unknown_backends_are_rejected(world: World, placed: str) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "allocated", "empty", content=None)
    assert world.register(flow_id, {"object_id": "empty", "timerange": "[0:0_1:0)"}) == []
    with pytest.raises(NotFound):
        world.catalog.copies.copy(CALLER, "allocated", SECOND_BACKEND)
    with pytest.raises(Invalid, match="could not be copied"):
        world.catalog.copies.copy(CALLER, "empty", SECOND_BACKEND)
    with pytest.raises(Invalid, match="not a storage backend"):
        world.catalog.copies.copy(CALLER, placed, "33333333-3333-4333-8333-333333333333")


@pytest.mark.behaviour("OBJ-INST-DEL-01", "OBJ-INST-DEL-11")
@pytest.mark.parametrize(
    ("gone", "kept"), [(DEFAULT_BACKEND, SECOND_BACKEND), (SECOND_BACKEND, DEFAULT_BACKEND)], ids=["original", "copy"]
)
def test_a_removed_instance_is_unlisted_before_its_bytes_are_removed(
    world: World, placed: str, gone: str, kept: str
) -> None:
    world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
    world.catalog.objects.remove_instance(CALLER, placed, gone, None)
    assert world.backends_of(placed) == {kept}
    assert world.has_bytes(placed, gone)
    world.run_background_work()
    assert not world.has_bytes(placed, gone)
    assert world.has_bytes(placed, kept)


@pytest.mark.behaviour("OBJ-INST-POST-01", "OBJ-INST-POST-06")
def test_a_removed_copy_can_be_made_again_once_its_bytes_are_gone(world: World, placed: str) -> None:
    world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
    world.catalog.objects.remove_instance(CALLER, placed, SECOND_BACKEND, None)
    with pytest.raises(Unavailable, match="still being removed"):
        world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
    world.run_background_work()
    world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
    world.run_background_work()
    assert world.backends_of(placed) == {DEFAULT_BACKEND, SECOND_BACKEND}
    assert world.has_bytes(placed, SECOND_BACKEND)


@pytest.mark.behaviour("OBJ-INST-DEL-04", "OBJ-INST-DEL-05", "OBJ-INST-DEL-06", "A54", "A55", "A56")
def test_the_instance_to_remove_must_be_unambiguous_and_not_the_last(world: World, placed: str) -> None:
    with pytest.raises(Invalid, match="last instance"):
        world.catalog.objects.remove_instance(CALLER, placed, DEFAULT_BACKEND, None)
    world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
    with pytest.raises(Invalid, match="two different"):
        world.catalog.objects.remove_instance(CALLER, placed, DEFAULT_BACKEND, "second")
    with pytest.raises(NotFound):
        world.catalog.objects.remove_instance(CALLER, placed, None, "third")
    world.catalog.objects.remove_instance(CALLER, placed, SECOND_BACKEND, "second")
    assert world.backends_of(placed) == {DEFAULT_BACKEND}


@pytest.mark.behaviour("OBJ-INST-POST-13", "OBJ-INST-POST-14", "OBJ-INST-DEL-09", "INIT-06")
def test_an_init_object_is_not_copied_with_its_media_object(world: World) -> None:
    flow_id = world.make_flow(init_flow())
    world.allocate(flow_id, "init", "media")
    segment = {"object_id": "media", "timerange": "[0:0_1:0)", "init_object_id": "init"}
    assert world.register(flow_id, segment) == []
    world.catalog.copies.copy(CALLER, "media", SECOND_BACKEND)
    assert world.backends_of("init") == {DEFAULT_BACKEND}
    world.catalog.copies.copy(CALLER, "init", SECOND_BACKEND)
    world.catalog.objects.remove_instance(CALLER, "media", SECOND_BACKEND, None)
    assert world.backends_of("init") == {DEFAULT_BACKEND, SECOND_BACKEND}


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
        world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
    assert world.backends_of(placed) == {DEFAULT_BACKEND}
    world.run_background_work()
    assert not world.has_bytes(placed, SECOND_BACKEND)
