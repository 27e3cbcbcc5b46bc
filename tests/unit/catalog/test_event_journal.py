"""When events are recorded: in the transaction of their change, once, in order, and only if a webhook wants them."""

import pytest

from storage.catalog import Limits
from storage.catalog.event_journal import EventJournal
from storage.errors import Contended, Forbidden, Invalid, NotFound, Unavailable
from tests.conformance.kit.documents import flow, init_flow
from tests.conformance.kit.ids import fresh
from tests.unit.catalog.seconds import add, at
from tests.unit.catalogs import CALLER, World
from tests.unit.event_recorder import EventRecorder

LIMITS = Limits(async_deletion_threshold=5, deletion_batch=3)


@pytest.mark.behaviour("DLV-13")
def test_rejected_requests_cause_no_events(world: World, recorder: EventRecorder, made: str, source: str) -> None:
    flows, sources = world.catalog.flows, world.catalog.sources
    document = world.catalog.flows.get(CALLER, made)
    with pytest.raises(Invalid):
        flows.put(CALLER, made, document | {"source_id": fresh()})
    with pytest.raises(Invalid):
        world.set_collection(made, fresh())
    with pytest.raises(NotFound):
        flows.set_member(CALLER, fresh(), "label", "x")
    with pytest.raises(NotFound):
        flows.delete_tag(CALLER, made, "never there")
    with pytest.raises(NotFound):
        sources.delete_tag(CALLER, source, "never there")
    flows.set_member(CALLER, made, "read_only", True)
    assert recorder.new_types() == ["flows/updated"]
    for rejected in (
        lambda: flows.put(CALLER, made, document),
        lambda: flows.set_tag(CALLER, made, "t", "v"),
        lambda: world.catalog.deletions.delete_flow(CALLER, made),
        lambda: world.delete_segments(made),
    ):
        with pytest.raises(Forbidden):
            rejected()
    assert recorder.new_events() == []
    assert world.rows("events") == []


@pytest.mark.behaviour("DLV-13", "DLV-12")
def test_a_change_whose_events_cannot_be_written_is_rolled_back(
    world: World, recorder: EventRecorder, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(world, made, at(0))
    recorder.new_events()
    before = world.catalog.flows.get(CALLER, made)
    write = EventJournal.write

    def failing(journal: EventJournal) -> None:
        write(journal)
        raise Unavailable("the catalogue is away")

    document = flow()
    world.allocate(made, "a")
    with monkeypatch.context() as broken:
        broken.setattr(EventJournal, "write", failing)
        for change in (
            lambda: world.make_flow(document),
            lambda: world.catalog.flows.set_member(CALLER, made, "label", "x"),
            lambda: world.catalog.sources.set_member(CALLER, before["source_id"], "label", "x"),
            lambda: world.register(made, {"object_id": "a", "timerange": at(1)}),
            lambda: world.delete_segments(made),
            lambda: world.catalog.deletions.delete_flow(CALLER, made),
        ):
            with pytest.raises(Unavailable):
                change()
    assert recorder.new_events() == []
    assert world.rows("events") == []
    assert world.catalog.flows.get(CALLER, made) == before
    assert world.timeranges(made) == [at(0)]
    with pytest.raises(NotFound):
        world.catalog.flows.get(CALLER, document["id"])


@pytest.mark.behaviour("DLV-13", "DLV-09")
def test_a_retried_change_causes_its_events_once(
    world: World, recorder: EventRecorder, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, lost = EventJournal.write, 2

    def contended(journal: EventJournal) -> None:
        nonlocal lost
        write(journal)
        if lost:
            lost -= 1
            raise Contended("another writer got in between")

    monkeypatch.setattr(EventJournal, "write", contended)
    world.catalog.flows.set_member(CALLER, made, "label", "x")
    assert recorder.new_types_and_ids() == [("flows/updated", made)]


@pytest.mark.behaviour("AMB-40", "HOOK-ST-07")
@pytest.mark.parametrize("state", ["none", "disabled", "deleted"])
def test_no_events_are_recorded_without_enabled_webhooks(world: World, state: str) -> None:
    if state == "disabled":
        world.add_webhook(status="disabled")
    elif state == "deleted":
        world.catalog.webhooks.delete(CALLER, world.add_webhook())
    flow_id = world.make_flow(init_flow())
    other = world.make_flow()
    world.set_collection(flow_id, other)
    add(world, other, at(0))
    world.delete_segments(other)
    world.catalog.deletions.delete_flow(CALLER, other)
    assert world.rows("events") == []


def test_an_event_that_matches_no_webhook_is_removed(world: World) -> None:
    webhook = world.add_webhook("flows/deleted")
    world.make_flow()
    assert len(world.rows("events")) == 2
    world.run_background_work()
    assert world.rows("events") == []
    assert world.deliver_events(webhook) == []


def test_an_event_is_kept_until_every_webhook_has_it(world: World) -> None:
    first, second = world.add_webhook("flows/created"), world.add_webhook("flows/created")
    world.make_flow()
    assert world.delivered_types(first) == ["flows/created"]
    assert len(world.rows("events")) == 1
    assert world.delivered_types(second) == ["flows/created"]
    assert world.rows("events") == []
    assert world.rows("deliveries") == []


@pytest.mark.behaviour("DLV-11")
def test_events_are_in_the_order_of_the_changes(world: World, recorder: EventRecorder) -> None:
    """However many there are, and whether or not they are dispatched together."""
    flow_id = world.make_flow()
    for n in range(250):
        world.clock.now += 1
        world.catalog.flows.set_member(CALLER, flow_id, "label", str(n))
        if n % 60 == 0:
            world.run_background_pass()
    bodies = world.deliver_events(recorder.webhook_id)
    assert [body["event"]["flow"].get("label") for body in bodies[1:]] == [None, *(str(n) for n in range(250))]
