"""Delivery of events: recipients, headers, order, retries, and failing receivers (DLV-*)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json
from tests.conformance.kit.events import FLOW_UPDATED, SOURCE_UPDATED, without_repeats
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.receiver import HANG_UP, Delivery, Receiver, Reply
from tests.conformance.kit.segments import post_segment, register_segment
from tests.conformance.kit.server import Subject, free_port
from tests.conformance.kit.shared_client import shared_client
from tests.conformance.kit.webhooks import (
    Hook,
    Hooks,
    make_webhook,
    path_of,
    put_webhook,
    read_webhook,
    wait_for_each,
    wait_for_marker,
)

WITHOUT_KEY = ("authorization", "proxy-authorization", "cookie")
FAILURES = {"500": Reply(500), "503": Reply(503), "429": Reply(429), "no response": HANG_UP}


def relabel(tams: TamsClient, flow: Json) -> str:
    """Give the flow a new label, and return it."""
    label = fresh_name("label")
    assert tams.put(f"/flows/{flow['id']}/label", label).status_code == 204
    return label


def labels(hook: Hook, flow: Json) -> list[str]:
    """The labels in the flow's updated events, in order of arrival."""
    return [event.body["flow"].get("label") for event in hook.events(FLOW_UPDATED, about=flow["id"])]


@pytest.fixture
def flow(tams: TamsClient) -> Json:
    return tams.make_flow(label="as it was made")


# -- What is sent


@pytest.mark.behaviour("DLV-01", "HOOK-ST-01", "HOOK-POST-06")
def test_an_event_is_posted_as_json_and_starts_the_webhook(
    tams: TamsClient, receiver: Receiver, event_timeout: float, flow: Json
) -> None:
    """Does not use the fixture events_arrive, so that this test fails if no events arrive at all."""
    hook = Hooks(tams, receiver, event_timeout).make(FLOW_UPDATED, source_ids=[flow["source_id"]])
    assert hook.document["status"] in ("created", "started")
    label = relabel(tams, flow)
    event = hook.wait_for(FLOW_UPDATED, flow["id"], lambda event: event.body["flow"].get("label") == label)
    assert event.delivery.method == "POST"
    assert event.delivery.headers["Content-Type"].partition(";")[0] == "application/json"
    assert {"event_type", "event_timestamp", "event"} <= event.document.keys()
    assert event.timestamp.tzinfo
    wait_until(lambda: read_webhook(tams, hook.document)["status"] == "started", "the webhook to be started")


@pytest.mark.behaviour("DLV-02", "HOOK-POST-14", "HOOK-LIST-06")
def test_the_key_is_sent_as_registered(tams: TamsClient, hooks: Hooks, flow: Json) -> None:
    keys = {"Authorization": "Bearer kit.secret==", "X-Kit-Key": "kit secret, in; words: 'all' \"of\" them"}
    made = {
        name: hooks.make(FLOW_UPDATED, source_ids=[flow["source_id"]], api_key_name=name, api_key_value=value)
        for name, value in keys.items()
    }
    relabel(tams, flow)
    events = {name: hook.wait_for(FLOW_UPDATED, flow["id"]) for name, hook in made.items()}
    assert {name: event.delivery.headers.get(name) for name, event in events.items()} == keys
    assert not any(b"kit.secret" in event.delivery.body for event in events.values())


@pytest.mark.behaviour("DLV-03", "AUTH-13")
def test_without_a_key_no_credential_is_sent(tams: TamsClient, subject: Subject, hooks: Hooks, flow: Json) -> None:
    hook = hooks.make(FLOW_UPDATED, source_ids=[flow["source_id"]])
    relabel(tams, flow)
    delivery = hook.wait_for(FLOW_UPDATED, flow["id"]).delivery
    assert not set(WITHOUT_KEY) & {name.lower() for name in delivery.headers}
    credential = next(iter(subject.credential.values()), "").partition(" ")[2]
    assert not credential or credential not in f"{delivery.headers} {delivery.body.decode()}"


@pytest.mark.behaviour("HOOK-PUT-09", "DLV-02")
def test_a_new_key_is_used_from_the_next_event_on(tams: TamsClient, hooks: Hooks, flow: Json) -> None:
    key: Json = {"api_key_name": "X-Key", "source_ids": [flow["source_id"]]}
    hook = hooks.make(FLOW_UPDATED, SOURCE_UPDATED, **key, api_key_value="old")
    wait_for_marker(tams, flow["source_id"], hook)
    assert put_webhook(tams, hook.document, api_key_value="new").status_code == 201
    label = relabel(tams, flow)
    event = hook.wait_for(FLOW_UPDATED, flow["id"], lambda event: event.body["flow"].get("label") == label)
    assert event.delivery.headers["X-Key"] == "new"


@pytest.mark.behaviour("DLV-09", "DLV-04")
def test_each_webhook_gets_an_event_once_though_they_share_a_url(tams: TamsClient, hooks: Hooks, flow: Json) -> None:
    inbox = hooks.inbox()
    options: Json = {"source_ids": [flow["source_id"]], "api_key_name": "X-Key"}
    sharing = [hooks.make(inbox=inbox, **options, api_key_value=key) for key in ("a", "b")]
    alone = hooks.make(**options, api_key_value="c")
    label = relabel(tams, flow)
    wait_for_marker(tams, flow["source_id"], alone)
    assert sharing[0].receives(2, SOURCE_UPDATED, about=flow["source_id"]), sharing[0].summary()
    keys = [
        event.delivery.headers["X-Key"]
        for event in sharing[0].events(FLOW_UPDATED, about=flow["id"])
        if event.body["flow"].get("label") == label
    ]
    assert sorted(keys) == ["a", "b"]
    assert labels(alone, flow) == [label]


@pytest.mark.behaviour("DLV-12")
def test_the_content_of_an_event_can_be_read_when_it_arrives(
    tams: TamsClient, http: httpx.Client, hooks: Hooks, flow: Json
) -> None:
    hook = hooks.make(FLOW_UPDATED, source_ids=[flow["source_id"]])
    read: list[str] = []

    def look(delivery: Delivery) -> None:
        read.append(http.get(f"/flows/{flow['id']}").json()["label"])

    hook.inbox.on_delivery = look
    label = relabel(tams, flow)
    hook.wait_for(FLOW_UPDATED, flow["id"], lambda event: event.body["flow"].get("label") == label)
    wait_until(lambda: label in read, "the flow to be read")
    assert read == [label]


@pytest.mark.behaviour("DLV-11")
def test_the_events_of_a_flow_arrive_in_order(tams: TamsClient, hooks: Hooks, flow: Json) -> None:
    hook = hooks.make(FLOW_UPDATED, source_ids=[flow["source_id"]])
    hook.inbox.reply(Reply(), Reply(503), Reply(), Reply(503))
    expected = [relabel(tams, flow) for _ in range(8)]
    hook.wait_for(FLOW_UPDATED, flow["id"], lambda event: event.body["flow"].get("label") == expected[-1])
    assert list(dict.fromkeys(labels(hook, flow))) == expected


# -- What is not sent


@pytest.mark.behaviour("DLV-13", "SVC-GEN-04", "DEL-07", "EVT-SA-02")
def test_rejected_requests_send_no_events(tams: TamsClient, hooks: Hooks, flow: Json) -> None:
    source_id, path = flow["source_id"], f"/flows/{flow['id']}"
    object_id = register_segment(tams, flow["id"])
    closed = tams.make_flow(source_id=source_id, read_only=True)
    hook = hooks.make(source_ids=[source_id])
    wait_for_marker(tams, source_id, hook)
    before = len(hook.inbox.deliveries())
    rejected = [
        tams.put(path, {**flow, "label": 5}),
        tams.put(f"{path}/label", 5),
        tams.put(f"{path}/tags/a", {}),
        tams.put(f"/flows/{fresh()}/label", "nobody"),
        tams.put(f"/flows/{closed['id']}/label", "rejected"),
        tams.delete(f"/flows/{closed['id']}"),
        tams.put(f"/sources/{source_id}/label", 5),
        post_segment(tams, flow["id"], object_id, "[0:0_10:0)"),
        post_segment(tams, flow["id"], object_id, "soon"),
        tams.put(f"/flows/{fresh()}", {**flow, "source_id": source_id}),
    ]
    assert [response.status_code // 100 for response in rejected] == [4] * len(rejected)
    wait_for_marker(tams, source_id, hook)
    assert [str(event) for event in hook.events()[before:]] == [f"{SOURCE_UPDATED} of {source_id}"]


@pytest.mark.behaviour("HOOK-DEL-01")
def test_a_deleted_webhook_sends_nothing_more(tams: TamsClient, hooks: Hooks, flow: Json) -> None:
    deleted, other = (hooks.make(source_ids=[flow["source_id"]]) for _ in range(2))
    wait_for_marker(tams, flow["source_id"], deleted, other)
    assert tams.delete(path_of(deleted.document)).status_code == 204
    label = relabel(tams, flow)
    wait_for_marker(tams, flow["source_id"], other)
    assert label in labels(other, flow)
    assert label not in labels(deleted, flow)


# -- Receivers that fail


@dataclass(frozen=True, slots=True)
class Retried:
    """hooks: by the kind of failure, webhooks whose receivers failed once, after the same change of a flow."""

    hooks: dict[str, Hook]
    flow_id: str


@pytest.fixture(scope="module")
def retried(http: httpx.Client, receiver: Receiver, event_timeout: float, events_arrive: None) -> Iterator[Retried]:
    with shared_client(http) as tams:
        hooks = Hooks(tams, receiver, event_timeout)
        flow = tams.make_flow()
        made = {name: hooks.make(FLOW_UPDATED, source_ids=[flow["source_id"]]) for name in FAILURES}
        for name, hook in made.items():
            hook.inbox.reply(FAILURES[name])
        relabel(tams, flow)
        wait_for_each((hook, partial(hook.has_received, 2)) for hook in made.values())
        yield Retried(made, flow["id"])


@pytest.mark.behaviour("DLV-05", "DLV-11", "HOOK-ST-05")
@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_delivery_is_retried(tams: TamsClient, retried: Retried, failure: str) -> None:
    hook = retried.hooks[failure]
    events = hook.events(FLOW_UPDATED, about=retried.flow_id)
    assert len(events) >= 2, f"not retried after the receiver failed. {hook.summary()}"
    assert len({event.timestamp for event in events}) == 1
    assert len(without_repeats(events)) == 1
    assert read_webhook(tams, hook.document)["status"] != "error"


@pytest.mark.behaviour("DLV-06")
def test_redirects_are_not_followed(tams: TamsClient, hooks: Hooks, flow: Json) -> None:
    elsewhere = hooks.inbox()
    made = []
    for status in (301, 302, 303, 307, 308):
        hook = hooks.make(FLOW_UPDATED, SOURCE_UPDATED, source_ids=[flow["source_id"]])
        hook.inbox.reply(Reply(status, {"Location": elsewhere.url}))
        made.append(hook)
    relabel(tams, flow)
    for hook in made:
        assert hook.receives(2), (
            f"not retried, so there is no proof that the redirect was not followed. {hook.summary()}"
        )
    assert elsewhere.deliveries() == []


@pytest.mark.behaviour("DLV-10")
def test_an_unresponsive_receiver_does_not_delay_others(
    tams: TamsClient, hooks: Hooks, receiver: Receiver, flow: Json
) -> None:
    slow, quick = (hooks.make(FLOW_UPDATED, source_ids=[flow["source_id"]]) for _ in range(2))
    unused_url = httpx.URL(receiver.url).copy_with(port=free_port())
    make_webhook(tams, url=str(unused_url), events=[FLOW_UPDATED], status="created", source_ids=[flow["source_id"]])
    with slow.inbox.holding_responses():
        expected = [relabel(tams, flow) for _ in range(3)]
        received = quick.wait_until(lambda: set(expected) <= set(labels(quick, flow)))
        assert received, quick.summary()
        assert len(slow.inbox.deliveries()) <= 1
    slow.wait_for(FLOW_UPDATED, flow["id"], lambda event: event.body["flow"].get("label") == expected[-1])


@pytest.mark.behaviour("HOOK-DEL-03")
def test_pending_events_of_a_deleted_webhook_are_dropped(tams: TamsClient, hooks: Hooks, flow: Json) -> None:
    deleted, other = (hooks.make(FLOW_UPDATED, source_ids=[flow["source_id"]]) for _ in range(2))
    for hook in (deleted, other):
        hook.inbox.reply(*[Reply(503)] * 20)
    relabel(tams, flow)
    assert deleted.wait_until(lambda: deleted.inbox.deliveries()), deleted.summary()
    assert tams.delete(path_of(deleted.document)).status_code == 204
    tried = len(deleted.inbox.deliveries())
    if not other.wait_until(lambda: len(other.inbox.deliveries()) >= tried + 2):
        pytest.skip(f"no third attempt within {hooks.timeout_s:g} s")
    assert len(deleted.inbox.deliveries()) <= tried + 1
