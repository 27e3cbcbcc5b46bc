"""Copies of objects between backends: shown once whole, removed for good, never made twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.errors import Conflict, Invalid, NotFound, Unavailable
from tests.conformance.kit.documents import init_flow
from tests.unit.catalogs import HOME, SECOND_HOME, World, open_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path) as world:
        yield world


@pytest.fixture
def placed(world: World) -> str:
    """The id of a stored object."""
    world.place(world.make_flow(), "a")
    return "a"


@pytest.mark.behaviour("OBJ-INST-POST-01", "OBJ-INST-POST-03")
def test_a_copy_has_the_bytes_and_the_type_of_the_original(world: World, placed: str) -> None:
    world.catalog.objects.copy(placed, SECOND_HOME)
    assert world.stores[SECOND_HOME].stat(placed) == world.stores[HOME].stat(placed)
    assert world.places(placed) == {HOME, SECOND_HOME}


@pytest.mark.behaviour("OBJ-INST-POST-02", "OBJ-21")
def test_a_copy_that_breaks_off_is_not_shown_and_can_be_made_again(
    world: World, placed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(world.stores[SECOND_HOME], "write", fail)
        with pytest.raises(Unavailable):
            world.catalog.objects.copy(placed, SECOND_HOME)
    assert world.places(placed) == {HOME}
    world.catalog.objects.copy(placed, SECOND_HOME)
    assert world.places(placed) == {HOME, SECOND_HOME}


def fail(*_args: object) -> None:
    raise Unavailable("the store is away")


@pytest.mark.behaviour("OBJ-INST-POST-06", "A51")
@pytest.mark.parametrize("target", [HOME, SECOND_HOME])
def test_a_backend_has_one_copy(world: World, placed: str, target: str) -> None:
    world.catalog.objects.copy(placed, SECOND_HOME)
    with pytest.raises(Invalid) as refusal:
        world.catalog.objects.copy(placed, target)
    assert refusal.value.behaviour == "OBJ-INST-POST-06"


@pytest.mark.behaviour("OBJ-INST-POST-04", "OBJ-INST-POST-05", "OBJ-INST-POST-12")
def test_what_cannot_be_copied_is_refused(world: World, placed: str) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "set aside", "empty", content=None)
    assert world.register(flow_id, {"object_id": "empty", "timerange": "[0:0_1:0)"}) == []
    with pytest.raises(NotFound):
        world.catalog.objects.copy("set aside", SECOND_HOME)
    with pytest.raises(Invalid, match="no bytes"):
        world.catalog.objects.copy("empty", SECOND_HOME)
    with pytest.raises(Invalid, match="not a storage backend"):
        world.catalog.objects.copy(placed, "33333333-3333-4333-8333-333333333333")


@pytest.mark.behaviour("OBJ-INST-DEL-01", "OBJ-INST-DEL-11")
@pytest.mark.parametrize(("gone", "kept"), [(HOME, SECOND_HOME), (SECOND_HOME, HOME)], ids=["original", "copy"])
def test_an_instance_leaves_the_listing_before_its_bytes_go(world: World, placed: str, gone: str, kept: str) -> None:
    world.catalog.objects.copy(placed, SECOND_HOME)
    world.catalog.objects.remove_instance(placed, gone, None)
    assert world.places(placed) == {kept}
    assert world.has_bytes(placed, gone)
    world.sweep()
    assert not world.has_bytes(placed, gone)
    assert world.has_bytes(placed, kept)


@pytest.mark.behaviour("OBJ-INST-POST-01", "OBJ-INST-POST-06")
def test_a_copy_that_was_given_up_can_be_made_again_once_its_bytes_are_gone(world: World, placed: str) -> None:
    world.catalog.objects.copy(placed, SECOND_HOME)
    world.catalog.objects.remove_instance(placed, SECOND_HOME, None)
    with pytest.raises(Invalid, match="just"):
        world.catalog.objects.copy(placed, SECOND_HOME)
    world.sweep()
    world.catalog.objects.copy(placed, SECOND_HOME)
    world.sweep()
    assert world.places(placed) == {HOME, SECOND_HOME}
    assert world.has_bytes(placed, SECOND_HOME)


@pytest.mark.behaviour("OBJ-INST-DEL-04", "OBJ-INST-DEL-05", "OBJ-INST-DEL-06", "A54", "A55", "A56")
def test_which_instance_is_given_up_must_be_clear(world: World, placed: str) -> None:
    with pytest.raises(Invalid, match="last instance"):
        world.catalog.objects.remove_instance(placed, HOME, None)
    world.catalog.objects.copy(placed, SECOND_HOME)
    with pytest.raises(Invalid, match="two different"):
        world.catalog.objects.remove_instance(placed, HOME, "second")
    with pytest.raises(NotFound):
        world.catalog.objects.remove_instance(placed, None, "third")
    world.catalog.objects.remove_instance(placed, SECOND_HOME, "second")
    assert world.places(placed) == {HOME}


@pytest.mark.behaviour("OBJ-INST-POST-13", "OBJ-INST-POST-14", "OBJ-INST-DEL-09", "INIT-06")
def test_an_init_object_is_copied_only_by_its_own_id(world: World) -> None:
    flow_id = world.make_flow(init_flow())
    world.allocate(flow_id, "init", "media")
    segment = {"object_id": "media", "timerange": "[0:0_1:0)", "init_object_id": "init"}
    assert world.register(flow_id, segment) == []
    world.catalog.objects.copy("media", SECOND_HOME)
    assert world.places("init") == {HOME}
    world.catalog.objects.copy("init", SECOND_HOME)
    world.catalog.objects.remove_instance("media", SECOND_HOME, None)
    assert world.places("init") == {HOME, SECOND_HOME}


@pytest.mark.behaviour("OBJ-INST-POST-02", "OBJ-LIFE-07")
def test_an_object_that_goes_while_it_is_copied_leaves_no_bytes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    flow_id = world.make_flow()
    world.place(flow_id, "a")
    write = world.stores[SECOND_HOME].write

    def late(*args: object) -> object:
        stored = write(*args)  # type: ignore[arg-type]
        world.delete_segments(flow_id)
        return stored

    monkeypatch.setattr(world.stores[SECOND_HOME], "write", late)
    with pytest.raises(NotFound):
        world.catalog.objects.copy("a", SECOND_HOME)
    world.clock.forward(10_000)
    world.sweep()
    assert not world.has_bytes("a", HOME)
    assert not world.has_bytes("a", SECOND_HOME)


@pytest.mark.behaviour("OBJ-INST-POST-02")
def test_a_copy_whose_process_died_leaves_no_bytes_and_can_be_made_again(
    world: World, placed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(world.catalog.objects, "_show_copy", die)
        with pytest.raises(KeyboardInterrupt):
            world.catalog.objects.copy(placed, SECOND_HOME)
    assert world.has_bytes(placed, SECOND_HOME)
    assert world.places(placed) == {HOME}
    world.clock.forward(3600)
    world.sweep()
    assert not world.has_bytes(placed, SECOND_HOME)
    world.catalog.objects.copy(placed, SECOND_HOME)
    assert world.places(placed) == {HOME, SECOND_HOME}


def die(*_args: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.behaviour("OBJ-INST-POST-06", "A51")
def test_the_same_copy_is_not_made_twice_at_once(world: World, placed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write = world.stores[SECOND_HOME].write

    def meanwhile(*args: object) -> object:
        with pytest.raises(Invalid, match="just"):
            world.catalog.objects.copy(placed, SECOND_HOME)
        return write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(world.stores[SECOND_HOME], "write", meanwhile)
    world.catalog.objects.copy(placed, SECOND_HOME)
    assert world.places(placed) == {HOME, SECOND_HOME}


@pytest.mark.behaviour("OBJ-INST-POST-02")
def test_a_copy_that_takes_too_long_is_never_shown_without_bytes(
    world: World, placed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = world.stores[SECOND_HOME].write

    def slowly(*args: object) -> object:
        stored = write(*args)  # type: ignore[arg-type]
        world.clock.forward(3600)
        world.sweep()
        return stored

    monkeypatch.setattr(world.stores[SECOND_HOME], "write", slowly)
    with pytest.raises(Conflict):
        world.catalog.objects.copy(placed, SECOND_HOME)
    assert world.places(placed) == {HOME}
    assert not world.has_bytes(placed, SECOND_HOME)
