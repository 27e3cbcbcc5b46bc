"""Events of flows: one for each change, with the current flow (EVT-FC-*, EVT-FU-*, EVT-FD-*)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.deletions import await_deletion, delete_flow
from tests.conformance.kit.documents import AUDIO, TECHNICAL, VIDEO, Json
from tests.conformance.kit.events import (
    FLOW_CREATED,
    FLOW_DELETED,
    FLOW_UPDATED,
    SOURCE_DELETED,
    Event,
    single_event,
    without_repeats,
)
from tests.conformance.kit.flow_states import read_flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.profiles import linked_flow, make_profile
from tests.conformance.kit.receiver import Receiver
from tests.conformance.kit.segments import register_segment
from tests.conformance.kit.shared_client import shared_client
from tests.conformance.kit.webhooks import Hook, Hooks, wait_for_marker

CHANGES: list[tuple[str, str, Any]] = [
    ("PUT", "tags/genre", "news"),
    ("PUT", "tags/genre", ["news", "sport"]),
    ("DELETE", "tags/genre", None),
    ("PUT", "label", "changed"),
    ("DELETE", "label", None),
    ("PUT", "description", "changed"),
    ("DELETE", "description", None),
    ("PUT", "max_bit_rate", 7000),
    ("DELETE", "max_bit_rate", None),
    ("PUT", "avg_bit_rate", 6000),
    ("DELETE", "avg_bit_rate", None),
    ("PUT", "flow_collection", [{"role": "sound"}]),
    ("DELETE", "flow_collection", None),
    ("PUT", "read_only", True),
    ("PUT", "read_only", False),
]
"""Method, member and value. The id of the first member of a collection is filled in by the test."""
WHOLE = "PUT of the whole flow"
CLOSE = timedelta(seconds=2)
"""The largest difference between two times that count as the same."""


def name_of(change: tuple[str, str, Any]) -> str:
    return " ".join(map(str, change))


@dataclass(frozen=True, slots=True)
class Story:
    """A flow from creation to deletion, with its document after each change, by the name of the change."""

    flow_id: str
    hook: Hook
    states: dict[str, Json]

    def events(self, type_: str) -> list[Event]:
        return without_repeats(self.hook.events(type_, about=self.flow_id))


@pytest.fixture(scope="module")
def story(http: httpx.Client, receiver: Receiver, event_timeout: float, events_arrive: None) -> Iterator[Story]:
    with shared_client(http) as tams:
        source_id = fresh()
        hook = Hooks(tams, receiver, event_timeout).make(source_ids=[source_id])
        sound = tams.make_flow(format_=AUDIO)
        sent = tams.make_flow(source_id=source_id, label="new", tags={"a": "b"})
        path = f"/flows/{sent['id']}"
        states = {"PUT of a new flow": read_flow(tams, sent["id"])}
        for method, member, value in CHANGES:
            body = [{"id": sound["id"], **value[0]}] if member == "flow_collection" and value else value
            response = tams.request(method, f"{path}/{member}", **({} if body is None else {"json": body}))
            assert response.status_code == 204, response.text
            states[name_of((method, member, value))] = read_flow(tams, sent["id"])
        assert tams.put(path, {**sent, "label": "all new", "avg_bit_rate": 100}).status_code == 204
        states[WHOLE] = read_flow(tams, sent["id"])
        delete_flow(tams, sent["id"])
        hook.receives(1, FLOW_DELETED, about=sent["id"])
        hook.receives(1, SOURCE_DELETED, about=source_id)
        yield Story(sent["id"], hook, states)


def matches(event: Event, state: Json, *members: str) -> bool:
    """Whether the flow in the event matches `state`. A server may leave members out (TRF-10), but not these."""
    sent = {name: value for name, value in event.body["flow"].items() if name not in ("timerange", "segments_updated")}
    return sent.items() <= state.items() and all(sent.get(name) == state.get(name) for name in members)


@pytest.mark.behaviour("EVT-FC-01", "DLV-09")
def test_creating_a_flow_sends_one_event_with_its_document(story: Story) -> None:
    state = story.states["PUT of a new flow"]
    event = single_event(story.events(FLOW_CREATED))
    assert matches(event, state, "id", "source_id", "format", "label", "tags", "created", "essence_parameters")
    assert abs(event.timestamp - datetime.fromisoformat(state["created"])) <= CLOSE


@pytest.mark.behaviour("EVT-FC-02")
def test_changing_a_flow_sends_no_created_event(story: Story) -> None:
    assert len(story.events(FLOW_UPDATED)) >= len(CHANGES), story.hook.summary()
    assert len(story.events(FLOW_CREATED)) == 1


@pytest.mark.behaviour("EVT-FU-02", "EVT-FU-01")
@pytest.mark.parametrize(("method", "member", "value"), CHANGES, ids=map(name_of, CHANGES))
def test_changing_a_member_sends_the_current_flow(story: Story, method: str, member: str, value: Any) -> None:
    state = story.states[name_of((method, member, value))]
    member = member.partition("/")[0]
    assert any(matches(event, state, "id", member) for event in story.events(FLOW_UPDATED)), story.hook.summary()


@pytest.mark.behaviour("EVT-FU-01")
def test_replacing_a_flow_sends_the_current_flow(story: Story) -> None:
    state = story.states[WHOLE]
    found = [event for event in story.events(FLOW_UPDATED) if matches(event, state, "label", "avg_bit_rate")]
    assert found, story.hook.summary()
    assert abs(found[0].timestamp - datetime.fromisoformat(state["metadata_updated"])) <= CLOSE


@pytest.mark.behaviour("EVT-FU-04")
def test_flow_events_have_no_timerange(story: Story) -> None:
    flows = [event.body["flow"] for event in story.events(FLOW_CREATED) + story.events(FLOW_UPDATED)]
    assert flows
    assert not any("timerange" in each for each in flows)


@pytest.mark.behaviour("EVT-FD-01", "AMB-17")
def test_deleting_a_flow_sends_one_event_with_its_id(story: Story) -> None:
    event = single_event(story.events(FLOW_DELETED))
    assert event.body == {"flow_id": story.flow_id}


@pytest.mark.behaviour("DLV-11")
def test_the_deletion_event_follows_all_changes(story: Story) -> None:
    sent = [event.type for event in story.hook.events(FLOW_CREATED, FLOW_UPDATED, FLOW_DELETED, about=story.flow_id)]
    assert sent[0] == FLOW_CREATED
    assert sent.index(FLOW_DELETED) == max(number for number, type_ in enumerate(sent) if type_ != FLOW_DELETED) + 1


@pytest.mark.behaviour("EVT-FC-01", "PROF-EVT-01", "EVT-FU-01")
def test_an_event_of_a_linked_flow_contains_the_profile_metadata(tams: TamsClient, hooks: Hooks) -> None:
    document = linked_flow(make_profile(tams)["id"], label="from a profile")
    hook = hooks.make(FLOW_CREATED, FLOW_UPDATED, source_ids=[document["source_id"]])
    tams.make_flow(document)
    assert tams.put(f"/flows/{document['id']}/label", "changed").status_code == 204
    for type_ in (FLOW_CREATED, FLOW_UPDATED):
        sent = hook.wait_for(type_, document["id"]).body["flow"]
        assert TECHNICAL[VIDEO].items() <= sent.items()
        assert sent["profile_id"] == document["profile_id"]


@pytest.mark.behaviour("EVT-FU-03", "EVT-SA-05")
def test_segments_do_not_send_flow_events(tams: TamsClient, hooks: Hooks) -> None:
    flow = tams.make_flow()
    hook = hooks.make(source_ids=[flow["source_id"]])
    wait_for_marker(tams, flow["source_id"], hook)
    register_segment(tams, flow["id"])
    await_deletion(tams, tams.delete(f"/flows/{flow['id']}/segments"))
    wait_for_marker(tams, flow["source_id"], hook)
    assert not hook.events(FLOW_UPDATED, FLOW_CREATED, about=flow["id"])


@pytest.mark.behaviour("EVT-FD-01", "EVT-SX-02", "AMB-17")
def test_a_slow_flow_deletion_sends_one_event(tams: TamsClient, hooks: Hooks) -> None:
    flow = tams.make_flow()
    for start in (0, 30):
        tams.make_segments(flow["id"], [f"[{n}:0_{n + 1}:0)" for n in range(start, start + 30)])
    hook = hooks.make(FLOW_DELETED, SOURCE_DELETED, source_ids=[flow["source_id"]])
    found: list[int] = []
    hook.inbox.on_delivery = lambda delivery: found.append(
        tams.http.get(f"/sources/{flow['source_id']}").status_code if b"sources/deleted" in delivery.body else 0
    )
    delete_flow(tams, flow["id"])
    hook.wait_for(SOURCE_DELETED, flow["source_id"])
    assert hook.wait_for(FLOW_DELETED, flow["id"]).body == {"flow_id": flow["id"]}
    assert len(without_repeats(hook.events(FLOW_DELETED, about=flow["id"]))) == 1
    hook.wait_until(lambda: sum(map(bool, found)))
    assert [status for status in found if status] == [404]
