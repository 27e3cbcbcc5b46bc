"""What is no longer needed goes, when its time has come and not before: objects, bytes and delete requests."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.catalog import Limits
from storage.errors import Invalid, Unavailable
from tests.conformance.kit.documents import init_flow
from tests.unit.catalogs import DEFAULT_BACKEND, SECOND_BACKEND, World, open_world

LIMITS = Limits(min_object_timeout_s=600, object_grace_s=60)
KEPT_S = 660


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, LIMITS) as world:
        yield world


@pytest.mark.behaviour("SEG-POST-11", "TMO-01", "STO-31", "OBJ-LIFE-03")
@pytest.mark.parametrize("after_s", [0, 600, KEPT_S - 0.001])
def test_an_object_can_be_registered_until_its_time_is_over(world: World, after_s: float) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "a")
    world.clock.forward(after_s)
    world.run_background_work()
    assert world.register(flow_id, {"object_id": "a", "timerange": "[0:0_1:0)"}) == []
    world.clock.forward(10 * KEPT_S)
    world.run_background_work()
    assert world.is_registered("a")
    assert world.has_bytes("a")


@pytest.mark.behaviour("SEG-POST-10", "TMO-02", "STO-31", "OBJ-LIFE-03")
def test_an_object_that_nobody_registered_is_collected_with_its_bytes(world: World) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "a", "never-uploaded")
    world.stores[DEFAULT_BACKEND].delete("never-uploaded")
    world.clock.forward(KEPT_S)
    world.run_background_work()
    assert not world.has_bytes("a")
    for object_id in ("a", "never-uploaded"):
        (refusal,) = world.register(flow_id, {"object_id": object_id, "timerange": "[0:0_1:0)"})
        assert refusal.behaviour == "SEG-POST-08"
    assert world.catalog.objects.content_type("a") is None


@pytest.mark.behaviour("A49", "STO-05", "STO-06")
def test_an_id_is_in_use_until_it_has_been_collected(world: World) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "a")
    world.clock.forward(KEPT_S)
    with pytest.raises(Invalid, match="already exists"):
        world.allocate(flow_id, "a")
    world.run_background_work()
    world.allocate(flow_id, "a", content=b"others")
    assert world.register(flow_id, {"object_id": "a", "timerange": "[0:0_1:0)"}) == []
    world.clock.forward(KEPT_S)
    world.run_background_work()
    assert world.has_bytes("a")


@pytest.mark.behaviour("OBJ-LIFE-02", "TMO-05", "A41", "SEG-DEL-15")
def test_the_bytes_of_an_object_without_segments_go_after_a_grace(world: World) -> None:
    flow_id = world.make_flow()
    world.add_object(flow_id, "a")
    world.delete_segments(flow_id)
    assert not world.is_registered("a")
    world.run_background_work()
    assert world.has_bytes("a")
    world.clock.forward(60)
    world.run_background_work()
    assert not world.has_bytes("a")


@pytest.mark.behaviour("A41", "SEG-POST-25", "OBJ-LIFE-07")
def test_an_object_used_again_within_the_grace_stays(world: World) -> None:
    flow_id = world.make_flow()
    world.add_object(flow_id, "a")
    world.delete_segments(flow_id)
    world.clock.forward(59)
    assert world.register(flow_id, {"object_id": "a", "timerange": "[0:0_1:0)"}) == []
    world.clock.forward(KEPT_S)
    world.run_background_work()
    assert world.is_registered("a")
    assert world.has_bytes("a")


@pytest.mark.behaviour("A41", "INIT-05", "OBJ-LIFE-04", "SEG-POST-53")
@pytest.mark.parametrize("named", [False, True], ids=["init object left out", "init object named"])
def test_an_init_object_stays_with_a_media_object_used_again(world: World, named: bool) -> None:
    flow_id = world.make_flow(init_flow())
    world.allocate(flow_id, "init", "media")
    segment = {"object_id": "media", "timerange": "[0:0_1:0)"}
    assert world.register(flow_id, {**segment, "init_object_id": "init"}) == []
    world.delete_segments(flow_id)
    assert not world.is_registered("init")
    assert world.register(flow_id, {**segment, **({"init_object_id": "init"} if named else {})}) == []
    assert world.is_registered("init")
    world.clock.forward(KEPT_S)
    world.run_background_work()
    assert world.is_registered("init")
    assert world.has_bytes("init")


@pytest.mark.behaviour("SEG-DEL-16", "INIT-05", "OBJ-LIFE-05")
def test_an_init_object_is_collected_after_the_last_of_its_media(world: World) -> None:
    flow_id = world.make_flow(init_flow())
    world.allocate(flow_id, "init", "m1", "m2")
    for n in (1, 2):
        segment = {"object_id": f"m{n}", "timerange": f"[{n}:0_{n + 1}:0)", "init_object_id": "init"}
        assert world.register(flow_id, segment) == []
    world.delete_segments(flow_id, object_id="m1")
    world.clock.forward(KEPT_S)
    world.run_background_work()
    assert [world.has_bytes(each) for each in ("init", "m1", "m2")] == [True, False, True]
    world.delete_segments(flow_id)
    world.clock.forward(KEPT_S)
    world.run_background_work()
    assert [world.has_bytes(each) for each in ("init", "m1", "m2")] == [False, False, False]


@pytest.mark.behaviour("OBJ-LIFE-06", "OBJ-LIFE-01")
def test_collecting_an_object_from_outside_touches_no_store(world: World) -> None:
    flow_id = world.make_flow()
    outside = {"object_id": "x", "timerange": "[0:0_1:0)", "get_urls": [{"url": "https://a.example/x", "label": "x"}]}
    assert world.register(flow_id, outside) == []
    world.stores[DEFAULT_BACKEND].write("x", "video/mp2t", iter([b"not of this catalogue"]))
    world.delete_segments(flow_id)
    world.clock.forward(KEPT_S)
    world.run_background_work()
    assert not world.is_registered("x")
    assert world.has_bytes("x")


@pytest.mark.behaviour("OBJ-INST-DEL-01", "OBJ-INST-DEL-11")
def test_bytes_on_every_backend_are_collected(world: World) -> None:
    flow_id = world.make_flow()
    world.add_object(flow_id, "a")
    world.catalog.copies.copy("a", SECOND_BACKEND)
    world.delete_segments(flow_id)
    world.clock.forward(KEPT_S)
    world.run_background_work()
    assert not world.has_bytes("a", DEFAULT_BACKEND)
    assert not world.has_bytes("a", SECOND_BACKEND)


@pytest.mark.behaviour("OBJ-LIFE-01", "TMO-02")
def test_a_store_that_cannot_be_reached_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "a")
    world.allocate(flow_id, "b", storage_id=SECOND_BACKEND)
    world.clock.forward(KEPT_S)
    with monkeypatch.context() as broken:
        broken.setattr(world.stores[DEFAULT_BACKEND], "delete", refuse)
        world.run_background_work()
        assert not world.has_bytes("b", SECOND_BACKEND)
        assert world.has_bytes("a")
    world.clock.forward(KEPT_S)
    world.run_background_work()
    assert not world.has_bytes("a")


def refuse(object_id: str) -> None:
    raise Unavailable("the store is away")


@pytest.mark.behaviour("OBJ-LIFE-01", "STO-05")
def test_two_workers_never_remove_the_bytes_of_an_id_that_is_in_use_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker is held up while another finishes the same work, and the id is taken into use again meanwhile."""
    flow_id = world.make_flow()
    world.allocate(flow_id, "first", "then")
    world.clock.forward(KEPT_S)
    store = world.stores[DEFAULT_BACKEND]
    remove, held_up, go_on = store.delete, threading.Event(), threading.Event()

    def slowly(object_id: str) -> None:
        if threading.current_thread() is slow:
            held_up.set()
            assert go_on.wait(10)
        remove(object_id)

    slow = threading.Thread(target=world.run_background_work)
    monkeypatch.setattr(store, "delete", slowly)
    slow.start()
    assert held_up.wait(10)
    world.run_background_work()
    in_use = []
    for object_id in ("first", "then"):
        try:
            world.add_object(flow_id, object_id, f"[{len(in_use)}:0_{len(in_use) + 1}:0)")
        except Invalid:
            continue
        in_use.append(object_id)
    go_on.set()
    slow.join(10)
    world.run_background_work()
    assert all(world.has_bytes(object_id) for object_id in in_use)
    assert {"first", "then"} - set(in_use) == {each for each in ("first", "then") if not world.has_bytes(each)}
