"""Events of sources: creation with the first flow, changes, deletion with the last (EVT-SC-*, EVT-SU-*, EVT-SX-*)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.deletions import delete_flow
from tests.conformance.kit.documents import MULTI, Json, flow
from tests.conformance.kit.events import (
    SOURCE_CREATED,
    SOURCE_DELETED,
    SOURCE_UPDATED,
    Event,
    single_event,
    without_repeats,
)
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.receiver import Receiver
from tests.conformance.kit.shared_client import shared_client
from tests.conformance.kit.webhooks import Hook, Hooks

CHANGES: list[tuple[str, str, Any]] = [
    ("PUT", "label", "changed"),
    ("PUT", "description", "changed"),
    ("PUT", "tags/genre", "news"),
    ("PUT", "tags/genre", ["news", "sport"]),
    ("DELETE", "label", None),
    ("DELETE", "description", None),
    ("DELETE", "tags/genre", None),
]
CLOSE = timedelta(seconds=2)
"""The largest difference between two times that count as the same."""


def name_of(change: tuple[str, str, Any]) -> str:
    return " ".join(map(str, change))


def read(tams: TamsClient, source_id: str) -> Json:
    response = tams.get(f"/sources/{source_id}")
    assert response.status_code == 200, response.text
    document: Json = response.json()
    return document


@dataclass(frozen=True, slots=True)
class Story:
    """A source from its first flow to the deletion of its last, with its document after each change, by the name of the
    change."""

    source_id: str
    hook: Hook
    states: dict[str, Json]

    def events(self, type_: str) -> list[Event]:
        return without_repeats(self.hook.events(type_, about=self.source_id))


@pytest.fixture(scope="module")
def story(http: httpx.Client, receiver: Receiver, event_timeout: float, events_arrive: None) -> Iterator[Story]:
    with shared_client(http) as tams:
        source_id = fresh()
        hook = Hooks(tams, receiver, event_timeout).make(source_ids=[source_id])
        first = tams.make_flow(source_id=source_id)
        states = {"new": read(tams, source_id)}
        for method, member, value in CHANGES:
            body = {} if value is None else {"json": value}
            assert tams.request(method, f"/sources/{source_id}/{member}", **body).status_code == 204
            states[name_of((method, member, value))] = read(tams, source_id)
        second = tams.make_flow(source_id=source_id)
        delete_flow(tams, first["id"])
        delete_flow(tams, second["id"])
        hook.receives(1, SOURCE_DELETED, about=source_id)
        hook.receives(len(CHANGES), SOURCE_UPDATED, about=source_id)
        yield Story(source_id, hook, states)


@pytest.mark.behaviour("EVT-SC-01", "EVT-SC-02")
def test_a_source_sends_one_created_event_with_its_first_flow(story: Story) -> None:
    event = single_event(story.events(SOURCE_CREATED))
    sent, shown = event.body["source"], story.states["new"]
    assert sent.items() <= shown.items()
    assert {"id", "format"} <= sent.keys()
    assert abs(event.timestamp - datetime.fromisoformat(shown["created"])) <= CLOSE


@pytest.mark.behaviour("EVT-SU-01")
@pytest.mark.parametrize(("method", "member", "value"), CHANGES, ids=map(name_of, CHANGES))
def test_changing_a_source_sends_its_current_document(story: Story, method: str, member: str, value: Any) -> None:
    state = story.states[name_of((method, member, value))]
    name = member.partition("/")[0]
    sent = [event.body["source"] for event in story.events(SOURCE_UPDATED)]
    found = [each for each in sent if each.items() <= state.items() and each.get(name) == state.get(name)]
    assert found, story.hook.summary()


@pytest.mark.behaviour("EVT-SX-01", "SRC-LIFE-05")
def test_a_source_sends_one_deleted_event_with_its_last_flow(story: Story) -> None:
    event = single_event(story.events(SOURCE_DELETED))
    assert event.body == {"source_id": story.source_id}
    sent = [event.type for event in story.hook.events(about=story.source_id)]
    assert sent[-1] == SOURCE_DELETED


@pytest.mark.behaviour("EVT-SU-02", "AMB-19")
def test_events_of_collected_sources_name_their_collectors(tams: TamsClient, hooks: Hooks) -> None:
    member, collection = tams.make_flow(), tams.make_flow(flow(MULTI))
    part, whole = member["source_id"], collection["source_id"]
    hook = hooks.make(SOURCE_UPDATED, source_ids=[part, whole])
    path = f"/flows/{collection['id']}/flow_collection"
    assert tams.put(path, [{"id": member["id"], "role": "picture"}]).status_code == 204
    hook.wait_for(SOURCE_UPDATED, part, lambda event: event.body["source"].get("collected_by") == [whole])
    collected = [{"id": part, "role": "picture"}]
    hook.wait_for(SOURCE_UPDATED, whole, lambda event: event.body["source"].get("source_collection") == collected)
    assert tams.delete(path).status_code == 204
    hook.wait_for(SOURCE_UPDATED, part, lambda event: not event.body["source"].get("collected_by"))
    hook.wait_for(SOURCE_UPDATED, whole, lambda event: not event.body["source"].get("source_collection"))
