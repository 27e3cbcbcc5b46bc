"""Which events a webhook is sent: by type, by flow and source, and by the collections they are in at the time."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.kit.documents import MULTI, Json, flow
from tests.conformance.kit.ids import fresh
from tests.unit.catalogs import CALLER, EVENT_TYPES, World

FLOW_EVENTS = [name for name in EVENT_TYPES if name.startswith("flows/")]


@dataclass
class Pair:
    """A flow, and a flow that collects it, each with a source of its own."""

    flow: Json
    collector: Json

    @property
    def named(self) -> dict[str, str]:
        """Ids by the names that the filters in these tests use."""
        return {
            "flow": self.flow["id"],
            "source": self.flow["source_id"],
            "collector": self.collector["id"],
            "collecting source": self.collector["source_id"],
            "nothing": fresh(),
        }


@pytest.fixture
def pair(world: World) -> Pair:
    made = Pair(flow(), flow(MULTI))
    world.make_flow(made.flow)
    world.make_flow(made.collector)
    world.set_collection(made.collector["id"], made.flow["id"])
    world.clock.forward(1)
    return made


def filters(pair: Pair, **by_name: list[str]) -> dict[str, Any]:
    return {name: [pair.named[word] for word in words] for name, words in by_name.items()}


def cause_events(world: World, pair: Pair) -> None:
    """Cause one event of each type but creation, about the collected flow and its source, and then delete both."""
    flow_id = pair.flow["id"]
    world.clock.forward(1)
    world.catalog.sources.set_member(CALLER, pair.flow["source_id"], "label", "x")
    world.clock.forward(1)
    world.catalog.flows.set_member(CALLER, flow_id, "label", "x")
    world.clock.forward(1)
    world.add_object(flow_id, fresh())
    world.clock.forward(1)
    world.delete_segments(flow_id)
    world.clock.forward(1)
    world.catalog.deletions.delete_flow(CALLER, flow_id)


ALL_OF_FLOW = ["flows/updated", "flows/segments_added", "flows/segments_deleted", "flows/deleted"]
ALL = ["sources/updated", *ALL_OF_FLOW, "sources/deleted"]
OF_SOURCE = ["sources/updated", "sources/deleted"]


@pytest.mark.behaviour(
    "FLT-01", "FLT-02", "FLT-03", "FLT-04", "FLT-05", "FLT-06", "FLT-07", "FLT-09", "AMB-10", "AMB-11", "AMB-09"
)  # fmt: skip
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ALL),
        ({"flow_ids": ["flow"]}, ALL),
        ({"flow_ids": ["nothing", "flow"]}, ALL),
        ({"flow_ids": ["collector"]}, OF_SOURCE),
        ({"flow_ids": []}, OF_SOURCE),
        ({"source_ids": ["source"]}, ALL),
        ({"source_ids": ["nothing", "source"]}, ALL),
        ({"source_ids": ["collecting source"]}, []),
        ({"source_ids": []}, []),
        ({"flow_collected_by_ids": ["collector"]}, ALL),
        ({"flow_collected_by_ids": ["nothing", "collector"]}, ALL),
        ({"flow_collected_by_ids": ["flow"]}, OF_SOURCE),
        ({"flow_collected_by_ids": []}, OF_SOURCE),
        ({"source_collected_by_ids": ["collecting source"]}, ALL),
        ({"source_collected_by_ids": ["nothing", "collecting source"]}, ALL),
        ({"source_collected_by_ids": ["source"]}, []),
        ({"source_collected_by_ids": []}, []),
        ({"flow_ids": ["flow"], "source_ids": ["source"]}, ALL),
        ({"flow_ids": ["flow"], "source_ids": ["nothing"]}, []),
        ({"flow_ids": ["nothing"], "source_ids": ["source"]}, OF_SOURCE),
        ({"flow_ids": ["collector"], "flow_collected_by_ids": ["collector"]}, OF_SOURCE),
        ({"flow_collected_by_ids": ["collector"], "source_collected_by_ids": []}, []),
        ({"flow_collected_by_ids": [], "source_collected_by_ids": ["collecting source"]}, OF_SOURCE),
    ],
    ids=str,
)
def test_an_event_must_pass_every_filter(
    world: World, pair: Pair, wanted: dict[str, list[str]], expected: list[str]
) -> None:
    """Events of deletion are matched by the state before the flow and its source were deleted."""
    webhook = world.add_webhook(**filters(pair, **wanted))
    about = set(pair.named.values()) - {pair.collector["id"], pair.collector["source_id"]}
    cause_events(world, pair)
    sent = []
    for body in world.deliver_events(webhook):
        event = body["event"]
        named = {event.get("flow_id"), event.get("source_id")}
        named |= {event[name]["id"] for name in ("flow", "source") if name in event}
        if named & about:
            sent.append(body["event_type"])
    assert sent == expected


@pytest.mark.behaviour("FLT-01", "AMB-09")
@pytest.mark.parametrize("wanted", [[each] for each in ALL] + [[], ["flows/deleted", "sources/updated"]], ids=str)
def test_only_the_types_asked_for_are_sent(world: World, pair: Pair, wanted: list[str]) -> None:
    body = {"url": "https://receiver.example/hook", "events": wanted, "source_ids": [pair.flow["source_id"]]}
    webhook = world.catalog.webhooks.create(CALLER, body, "https://tams.example")["id"]
    cause_events(world, pair)
    assert world.delivered_types(webhook) == [each for each in ALL if each in wanted]


@pytest.mark.behaviour("FLT-06", "FLT-02", "FLT-03")
@pytest.mark.parametrize(
    ("name", "created"),
    [
        ("flow_collected_by_ids", ["sources/created", "flows/created"]),
        ("source_collected_by_ids", ["sources/created", "flows/created"]),
        ("flow_ids", ["sources/created"]),
        ("source_ids", []),
    ],
)
def test_an_empty_list_matches_nothing_or_what_is_in_no_collection(world: World, name: str, created: list[str]) -> None:
    webhook = world.add_webhook("sources/created", "flows/created", **{name: []})
    world.make_flow()
    assert world.delivered_types(webhook) == created


@pytest.mark.behaviour("FLT-08", "FLT-04", "FLT-06")
def test_collection_filters_apply_to_the_state_at_each_event(world: World) -> None:
    member, collector = flow(), flow(MULTI)
    world.make_flow(member)
    world.make_flow(collector)
    world.clock.forward(1)
    inside = world.add_webhook("flows/segments_added", flow_collected_by_ids=[collector["id"]])
    source_inside = world.add_webhook("flows/segments_added", source_collected_by_ids=[collector["source_id"]])
    outside = world.add_webhook("flows/segments_added", flow_collected_by_ids=[], flow_ids=[member["id"]])

    def sent_to_each(n: int) -> list[bool]:
        world.add_object(member["id"], f"o{n}", f"[{n}:0_{n + 1}:0)")
        world.clock.forward(1)
        return [world.delivered_types(hook) == ["flows/segments_added"] for hook in (inside, source_inside, outside)]

    assert sent_to_each(0) == [False, False, True]
    world.set_collection(collector["id"], member["id"])
    assert sent_to_each(1) == [True, True, False]
    world.set_collection(collector["id"])
    assert sent_to_each(2) == [False, False, True]


@pytest.mark.behaviour("FLT-08", "FLT-09")
def test_events_dispatched_late_are_matched_by_their_own_state(world: World, pair: Pair) -> None:
    """No worker dispatched the events before the flow left the collection."""
    webhook = world.add_webhook("flows/segments_added", flow_collected_by_ids=[pair.collector["id"]])
    world.add_object(pair.flow["id"], "o")
    world.clock.forward(1)
    world.set_collection(pair.collector["id"])
    world.clock.forward(1)
    world.add_object(pair.flow["id"], "p", "[1:0_2:0)")
    (sent,) = world.deliver_events(webhook)
    assert [each["object_id"] for each in sent["event"]["segments"]] == ["o"]


@pytest.mark.behaviour("HOOK-ST-07", "AMB-40")
def test_a_new_webhook_is_not_sent_earlier_events(world: World) -> None:
    first = world.add_webhook("flows/created")
    world.make_flow()
    world.clock.forward(1)
    late = world.add_webhook("flows/created")
    assert world.delivered_types(first) == ["flows/created"]
    assert world.deliver_events(late) == []


@pytest.mark.behaviour("HOOK-ST-02", "HOOK-ST-03", "HOOK-ST-07", "AMB-40")
@pytest.mark.parametrize("passed_on", [True, False], ids=["passed on at once", "passed on late"])
def test_events_while_a_webhook_is_disabled_are_never_sent(world: World, passed_on: bool) -> None:
    other, webhook = world.add_webhook("flows/created"), world.add_webhook("flows/created")
    for status in ("disabled", "created"):
        world.set_webhook(webhook, status)
        world.clock.forward(1)
        flow_id = world.make_flow()
        if passed_on:
            world.run_background_work()
        world.clock.forward(1)
    (sent,) = world.deliver_events(webhook)
    assert sent["event"]["flow"]["id"] == flow_id
    assert len(world.deliver_events(other)) == 2


@pytest.mark.behaviour("AMB-16")
def test_a_put_on_an_enabled_webhook_loses_no_events(world: World) -> None:
    webhook = world.add_webhook("flows/created")
    world.make_flow()
    world.clock.forward(1)
    world.set_webhook(webhook)
    assert world.delivered_types(webhook) == ["flows/created"]


@pytest.mark.behaviour("DLV-09")
def test_each_webhook_of_one_receiver_gets_its_own_delivery_id(world: World) -> None:
    webhooks = [world.add_webhook("flows/created") for _ in range(3)]
    world.make_flow()
    world.run_background_work()
    ids = set()
    for webhook in webhooks:
        (delivery,) = world.catalog.deliveries.next_batch(webhook, 10)
        assert [each.id for each in world.catalog.deliveries.next_batch(webhook, 10)] == [delivery.id]
        ids.add(delivery.id)
    assert len(ids) == 3
