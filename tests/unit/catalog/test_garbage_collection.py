"""Garbage collection: unreferenced objects are removed with their bytes once they have expired, and not before."""

import threading

import pytest

from storage.catalog import Limits
from storage.errors import Invalid, Unavailable
from tests.conformance.kit.documents import init_flow
from tests.unit.catalogs import CALLER, DEFAULT_BACKEND, SECOND_BACKEND, World

LIMITS = Limits(min_object_timeout_s=600, object_grace_s=60)
EXPIRY_S = 660
"""An allocated object expires after min_object_timeout and the grace period."""


@pytest.mark.behaviour("SEG-POST-11", "TMO-01", "STO-31", "OBJ-LIFE-03")
@pytest.mark.parametrize("after_s", [0, 600, EXPIRY_S - 0.001])
def test_an_allocated_object_can_be_registered_until_it_expires(world: World, after_s: float) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "a")
    world.clock.forward(after_s)
    world.run_background_work()
    assert world.register(flow_id, {"object_id": "a", "timerange": "[0:0_1:0)"}) == []
    world.clock.forward(10 * EXPIRY_S)
    world.run_background_work()
    assert world.is_registered("a")
    assert world.has_bytes("a")


@pytest.mark.behaviour("SEG-POST-10", "TMO-02", "STO-31", "OBJ-LIFE-03")
def test_an_object_that_is_never_registered_is_removed_with_its_bytes(world: World) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "a", "never-uploaded")
    world.stores[DEFAULT_BACKEND].delete("never-uploaded")
    world.clock.forward(EXPIRY_S)
    world.run_background_work()
    assert not world.has_bytes("a")
    for object_id in ("a", "never-uploaded"):
        (error,) = world.register(flow_id, {"object_id": object_id, "timerange": "[0:0_1:0)"})
        assert error.behaviour == "SEG-POST-08"
    assert world.catalog.objects.content_type("a") is None


@pytest.mark.behaviour("A49", "STO-05", "STO-06")
def test_an_id_can_be_allocated_again_only_after_garbage_collection(world: World) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "a")
    world.clock.forward(EXPIRY_S)
    with pytest.raises(Invalid, match="already exists"):
        world.allocate(flow_id, "a")
    world.run_background_work()
    world.allocate(flow_id, "a", content=b"others")
    assert world.register(flow_id, {"object_id": "a", "timerange": "[0:0_1:0)"}) == []
    world.clock.forward(EXPIRY_S)
    world.run_background_work()
    assert world.has_bytes("a")


@pytest.mark.behaviour("OBJ-LIFE-02", "TMO-05", "A41", "SEG-DEL-15")
def test_an_object_without_segments_keeps_its_bytes_for_a_grace_period(world: World) -> None:
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
def test_an_object_used_again_within_the_grace_period_is_kept(world: World) -> None:
    flow_id = world.make_flow()
    world.add_object(flow_id, "a")
    world.delete_segments(flow_id)
    world.clock.forward(59)
    assert world.register(flow_id, {"object_id": "a", "timerange": "[0:0_1:0)"}) == []
    world.clock.forward(EXPIRY_S)
    world.run_background_work()
    assert world.is_registered("a")
    assert world.has_bytes("a")


@pytest.mark.behaviour("A41", "INIT-05", "OBJ-LIFE-04", "SEG-POST-53")
@pytest.mark.parametrize("named", [False, True], ids=["without init_object_id", "with init_object_id"])
def test_an_init_object_is_kept_with_a_media_object_used_again(world: World, named: bool) -> None:
    flow_id = world.make_flow(init_flow())
    world.allocate(flow_id, "init", "media")
    segment = {"object_id": "media", "timerange": "[0:0_1:0)"}
    assert world.register(flow_id, {**segment, "init_object_id": "init"}) == []
    world.delete_segments(flow_id)
    assert not world.is_registered("init")
    assert world.register(flow_id, {**segment, **({"init_object_id": "init"} if named else {})}) == []
    assert world.is_registered("init")
    world.clock.forward(EXPIRY_S)
    world.run_background_work()
    assert world.is_registered("init")
    assert world.has_bytes("init")


@pytest.mark.behaviour("SEG-DEL-16", "INIT-05", "OBJ-LIFE-05")
def test_an_init_object_is_removed_after_its_last_media_object(world: World) -> None:
    flow_id = world.make_flow(init_flow())
    world.allocate(flow_id, "init", "m1", "m2")
    for n in (1, 2):
        segment = {"object_id": f"m{n}", "timerange": f"[{n}:0_{n + 1}:0)", "init_object_id": "init"}
        assert world.register(flow_id, segment) == []
    world.delete_segments(flow_id, object_id="m1")
    world.clock.forward(EXPIRY_S)
    world.run_background_work()
    assert [world.has_bytes(each) for each in ("init", "m1", "m2")] == [True, False, True]
    world.delete_segments(flow_id)
    world.clock.forward(EXPIRY_S)
    world.run_background_work()
    assert [world.has_bytes(each) for each in ("init", "m1", "m2")] == [False, False, False]


@pytest.mark.behaviour("OBJ-LIFE-06", "OBJ-LIFE-01")
def test_removing_an_uncontrolled_object_touches_no_store(world: World) -> None:
    flow_id = world.make_flow()
    outside = {"object_id": "x", "timerange": "[0:0_1:0)", "get_urls": [{"url": "https://a.example/x", "label": "x"}]}
    assert world.register(flow_id, outside) == []
    world.stores[DEFAULT_BACKEND].write("x", "video/mp2t", iter([b"not of this catalogue"]))
    world.delete_segments(flow_id)
    world.clock.forward(EXPIRY_S)
    world.run_background_work()
    assert not world.is_registered("x")
    assert world.has_bytes("x")


@pytest.mark.behaviour("OBJ-INST-DEL-01", "OBJ-INST-DEL-11")
def test_bytes_are_removed_from_every_backend(world: World) -> None:
    flow_id = world.make_flow()
    world.add_object(flow_id, "a")
    world.catalog.copies.copy(CALLER, "a", SECOND_BACKEND)
    world.delete_segments(flow_id)
    world.clock.forward(EXPIRY_S)
    world.run_background_work()
    assert not world.has_bytes("a", DEFAULT_BACKEND)
    assert not world.has_bytes("a", SECOND_BACKEND)


@pytest.mark.behaviour("OBJ-LIFE-01", "TMO-02")
def test_an_unavailable_store_does_not_delay_removal_from_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "a")
    world.allocate(flow_id, "b", storage_id=SECOND_BACKEND)
    world.clock.forward(EXPIRY_S)
    with monkeypatch.context() as broken:
        broken.setattr(world.stores[DEFAULT_BACKEND], "delete", fail)
        world.run_background_work()
        assert not world.has_bytes("b", SECOND_BACKEND)
        assert world.has_bytes("a")
    world.clock.forward(EXPIRY_S)
    world.run_background_work()
    assert not world.has_bytes("a")


def fail(object_id: str) -> None:
    raise Unavailable("the store is unavailable")


@pytest.mark.behaviour("OBJ-LIFE-01", "STO-05")
def test_two_workers_never_remove_the_bytes_of_an_id_that_is_reused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker is delayed until another has finished the same removals and the ids have been allocated again."""
    flow_id = world.make_flow()
    world.allocate(flow_id, "first", "second")
    world.clock.forward(EXPIRY_S)
    store = world.stores[DEFAULT_BACKEND]
    remove, delayed, resume = store.delete, threading.Event(), threading.Event()

    def delete_slowly(object_id: str) -> None:
        if threading.current_thread() is slow:
            delayed.set()
            assert resume.wait(10)
        remove(object_id)

    slow = threading.Thread(target=world.run_background_work)
    monkeypatch.setattr(store, "delete", delete_slowly)
    slow.start()
    assert delayed.wait(10)
    world.run_background_work()
    reused = []
    for object_id in ("first", "second"):
        try:
            world.add_object(flow_id, object_id, f"[{len(reused)}:0_{len(reused) + 1}:0)")
        except Invalid:
            continue
        reused.append(object_id)
    resume.set()
    slow.join(10)
    world.run_background_work()
    assert all(world.has_bytes(object_id) for object_id in reused)
    assert {"first", "second"} - set(reused) == {each for each in ("first", "second") if not world.has_bytes(each)}
