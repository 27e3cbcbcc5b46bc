"""F4: flow delete requests: workers delete many segments in batches, one request at a time or several at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.catalog import Limits
from storage.catalog.job_kinds import FLOW_DELETION
from storage.catalog.jobs import LeaseLost
from storage.catalog.objects import lifetime
from storage.catalog.paging import PageRequest
from storage.errors import NotFound, Unavailable
from storage.timerange import parse_timerange
from tests.conformance.kit.documents import Json, flow
from tests.unit.catalog.seconds import at
from tests.unit.catalogs import CALLER, World

LIMITS = Limits(async_deletion_threshold=5, deletion_batch=4, job_lease_s=30, deletion_request_retention_s=3600)


@pytest.fixture
def filled(world: World) -> str:
    """A flow with ten segments of one second each, each with its own object."""
    flow_id = world.make_flow()
    fill(world, flow_id, 0, 10)
    world.clock.forward(1)
    return flow_id


def fill(world: World, flow_id: str, start: int, end: int, prefix: str = "o") -> None:
    world.allocate(flow_id, *(f"{prefix}{n}" for n in range(start, end)))
    segments = [{"object_id": f"{prefix}{n}", "timerange": at(n)} for n in range(start, end)]
    assert world.register(flow_id, *segments) == []


def current(world: World, made: Json | None) -> Json:
    assert made is not None
    return world.catalog.flow_delete_requests.get(CALLER, made["id"])


@pytest.mark.behaviour("SEG-DEL-13", "DEL-01")
@pytest.mark.parametrize(("timerange", "at_once"), [("[0:0_5:0)", True), ("[0:0_6:0)", False), ("_", False)])
def test_segments_beyond_the_threshold_are_deleted_by_a_request(
    world: World, filled: str, timerange: str, at_once: bool
) -> None:
    made = world.delete_segments(filled, timerange)
    assert (made is None) is at_once
    assert len(world.timeranges(filled)) == (5 if at_once else 10)
    world.run_background_work()
    assert world.timeranges(filled) == [
        at(n) for n in range(10) if not parse_timerange(timerange).covers(parse_timerange(at(n)))
    ]


@pytest.mark.behaviour("DREQ-06", "DREQ-07", "DREQ-09", "A58", "DEL-02")
def test_the_remaining_timerange_shrinks_with_every_batch(world: World, filled: str) -> None:
    made = world.delete_segments(filled)
    (claim,) = world.claim(FLOW_DELETION)
    steps = [current(world, made)]
    while steps[-1]["status"] != "done":
        world.clock.forward(1)
        world.run_step(claim)
        steps.append(current(world, made))
    assert [each["status"] for each in steps] == ["created", "started", "started", "done"]
    assert [each["timerange_remaining"] for each in steps] == ["_", "[4:0_", "[8:0_", "()"]
    assert [each["updated"] for each in steps] == sorted({each["updated"] for each in steps})
    assert {each["timerange_to_delete"] for each in steps} == {"_"}
    assert {each["created"] for each in steps} == {steps[0]["created"]}
    assert steps[-1]["created_by"] == CALLER.name
    assert world.jobs() == []


@pytest.mark.behaviour("DREQ-09")
def test_a_finished_request_is_kept_until_its_expiry(world: World, filled: str) -> None:
    made = world.delete_segments(filled)
    world.run_background_work()
    world.clock.forward(3599)
    world.run_background_work()
    assert current(world, made)["status"] == "done"
    world.clock.forward(1)
    world.run_background_work()
    with pytest.raises(NotFound):
        current(world, made)


@pytest.mark.behaviour("DREQ-09", "DREQ-13")
def test_an_unfinished_request_does_not_expire(world: World, filled: str) -> None:
    made = world.delete_segments(filled)
    world.clock.forward(10 * 3600)
    while world.run_background_pass():
        pass
    assert current(world, made)["status"] == "created"
    world.run_background_work()
    assert world.timeranges(filled) == []


@pytest.mark.behaviour("SEG-DEL-07", "SEG-DEL-08", "SEG-DEL-14")
def test_a_request_deletes_segments_of_its_object_only(world: World) -> None:
    flow_id = world.make_flow()
    world.add_object(flow_id, "other", "[100:0_101:0)")
    world.allocate(flow_id, "o")
    segments = [{"object_id": "o", "timerange": at(n), "ts_offset": f"{n}:0"} for n in range(8)]
    assert world.register(flow_id, *segments) == []
    assert world.delete_segments(flow_id, "[1:0_", "o") is not None
    world.run_background_work()
    assert world.timeranges(flow_id) == [at(0), "[100:0_101:0)"]
    assert world.is_registered("o")


@pytest.mark.behaviour("A59")
def test_segments_registered_after_the_request_are_kept(world: World, filled: str) -> None:
    made = world.delete_segments(filled)
    world.clock.forward(1)
    fill(world, filled, 20, 22)
    (claim,) = world.claim(FLOW_DELETION)
    assert world.run_step(claim)
    world.add_object(filled, "again", at(1))
    world.catalog.jobs.release(claim)
    world.run_background_work()
    assert current(world, made)["status"] == "done"
    assert world.timeranges(filled) == [at(1), at(20), at(21)]


@pytest.mark.behaviour("A59")
@pytest.mark.parametrize("step_s", [-3600, 3600])
def test_a_step_of_the_clock_changes_nothing_about_which_segments_are_deleted(
    world: World, filled: str, step_s: int
) -> None:
    """Neither a step between the registration of segments and the request, nor one after it."""
    world.clock.forward(step_s)
    fill(world, filled, 10, 12)
    world.delete_segments(filled, "[0:0_1:0)")
    world.clock.forward(-step_s)
    fill(world, filled, 12, 14)
    made = world.delete_segments(filled)
    world.clock.forward(-step_s)
    fill(world, filled, 20, 22)
    world.clock.forward(step_s)
    world.run_background_work()
    assert current(world, made)["status"] == "done"
    assert world.timeranges(filled) == [at(20), at(21)]


@pytest.mark.behaviour("FLOW-DEL-02", "FLOW-DEL-10", "DREQ-11", "A59", "DEL-05")
def test_a_deleted_flow_is_gone_at_once_and_its_id_is_free_after_its_segments(world: World) -> None:
    document = flow()
    flow_id = world.make_flow(document)
    fill(world, flow_id, 0, 10)
    world.clock.forward(1)
    made = world.catalog.deletions.delete_flow(CALLER, flow_id)
    assert current(world, made)["delete_flow"] is True
    assert world.timeranges(flow_id) == []
    with pytest.raises(NotFound):
        world.catalog.flows.get(CALLER, flow_id)
    with pytest.raises(NotFound):
        world.register(flow_id, {"object_id": "o1", "timerange": "[50:0_51:0)"})
    with pytest.raises(NotFound):
        world.make_flow(document)
    world.run_background_work()
    assert not any(world.is_registered(f"o{n}") for n in range(10))
    world.make_flow(document)
    assert world.timeranges(flow_id) == []


@pytest.mark.behaviour("DREQ-13")
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_another_worker_resumes_the_request_of_a_dead_worker(world: World, filled: str, steps: int) -> None:
    made = world.delete_segments(filled)
    (dead,) = world.claim(FLOW_DELETION, worker="dead worker")
    for _ in range(steps):
        assert world.run_step(dead)
    left = world.timeranges(filled)
    world.clock.forward(29)
    world.run_background_work()
    assert world.timeranges(filled) == left, "the lease of the dead worker has not expired"
    world.clock.forward(30)
    world.run_background_work()
    assert current(world, made)["status"] == "done"
    assert world.timeranges(filled) == []
    with pytest.raises(LeaseLost):
        world.run_step(dead)


@pytest.mark.behaviour("DREQ-13")
def test_an_interrupted_batch_is_rolled_back_and_repeated(
    world: World, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = world.add_webhook("flows/segments_deleted")
    made = world.delete_segments(filled)
    (dead,) = world.claim(FLOW_DELETION)
    with monkeypatch.context() as dying:
        dying.setattr(lifetime, "remove_references", die)
        with pytest.raises(KeyboardInterrupt):
            world.run_step(dead)
    assert current(world, made)["status"] == "created"
    assert len(world.timeranges(filled)) == 10
    world.clock.forward(30)
    world.run_background_work()
    assert current(world, made)["status"] == "done"
    timeranges = sorted(body["event"]["timerange"] for body in world.deliver_events(webhook))
    assert timeranges == ["[0:0_4:0)", "[4:0_8:0)", "[8:0_10:0)"]


def die(*_args: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.behaviour("DREQ-13")
def test_a_worker_without_its_lease_deletes_nothing_more(world: World, filled: str) -> None:
    world.delete_segments(filled)
    (slow,) = world.claim(FLOW_DELETION, worker="slow")
    assert world.run_step(slow)
    world.clock.forward(30)
    (other,) = world.claim(FLOW_DELETION, worker="other")
    with pytest.raises(LeaseLost):
        world.run_step(slow)
    assert len(world.timeranges(filled)) == 6
    assert world.run_step(other)
    assert len(world.timeranges(filled)) == 2


@pytest.mark.behaviour("DREQ-13", "DREQ-06")
def test_a_failed_batch_is_retried(world: World, filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = world.delete_segments(filled)
    with monkeypatch.context() as failing:
        failing.setattr(lifetime, "remove_references", fail)
        world.run_background_work()
    assert current(world, made)["status"] == "created"
    assert world.jobs() == [(FLOW_DELETION, "waiting")]
    world.clock.forward(30)
    world.run_background_work()
    assert current(world, made)["status"] == "done"


def fail(*_args: object) -> None:
    raise Unavailable("the catalogue is unavailable")


@pytest.mark.behaviour("DREQ-06", "DREQ-08")
def test_a_failed_request_shows_its_error_and_does_not_expire(world: World, filled: str) -> None:
    made = world.delete_segments(filled)
    assert made is not None
    (claim,) = world.claim(FLOW_DELETION)
    assert world.run_step(claim)
    world.catalog.jobs.discard(FLOW_DELETION, made["id"])
    world.catalog.flow_delete_requests.mark_failed(made["id"], "the catalogue was unavailable for too long")
    shown = current(world, made)
    assert shown["status"] == "error"
    assert shown["error"]["summary"] == "the catalogue was unavailable for too long"
    assert shown["timerange_remaining"] == "[4:0_"
    world.clock.forward(10 * 3600)
    world.run_background_work()
    assert current(world, made)["status"] == "error", "it does not expire"
    assert len(world.timeranges(filled)) == 6


@pytest.mark.behaviour("DREQ-13", "OBJ-LIFE-04")
def test_many_workers_share_many_requests(world: World) -> None:
    flows = [world.make_flow() for _ in range(4)]
    for number, flow_id in enumerate(flows):
        fill(world, flow_id, 0, 12, prefix=f"f{number}-")
    world.clock.forward(1)
    made = [world.delete_segments(flow_id) for flow_id in flows]
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(world.run_background_work) for _ in range(4)]:
            future.result()
    assert world.jobs() == []
    assert [current(world, each)["status"] for each in made] == ["done"] * 4
    assert [world.timeranges(flow_id) for flow_id in flows] == [[]] * 4
    assert not any(world.is_registered(f"f{n}-{m}") for n in range(4) for m in range(12))


@pytest.mark.behaviour("DREQ-03", "SVC-SORT-01", "SVC-SORT-02")
@pytest.mark.parametrize(("sort_by", "reverse"), [("created", False), ("created", True), ("expiry", False)])
def test_requests_are_listed_newest_first(world: World, sort_by: str, reverse: bool) -> None:
    made = []
    for n in range(3):
        flow_id = world.make_flow()
        fill(world, flow_id, 0, 6, prefix=f"{n}-")
        request = world.delete_segments(flow_id)
        assert request is not None
        made.append(request["id"])
        world.clock.forward(1)
    page = world.catalog.flow_delete_requests.page(sort_by, PageRequest(limit=2, reverse=reverse))
    rest = world.catalog.flow_delete_requests.page(sort_by, PageRequest(limit=2, key=page.next_key, reverse=reverse))
    found = [item["id"] for item in [*page.items, *rest.items]]
    assert found == (made if reverse else made[::-1])
