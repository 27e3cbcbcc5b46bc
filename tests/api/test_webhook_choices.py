"""Webhooks and events: the choices of this server where the standard is silent (AMB-09 to AMB-23, AMB-41, DLV-04)."""

import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.deletions import delete_flow, delete_segments
from tests.conformance.kit.documents import MULTI, Json, flow
from tests.conformance.kit.events import FLOW_UPDATED, SEGMENTS_ADDED, SEGMENTS_DELETED, SOURCE_UPDATED
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.receiver import Reply
from tests.conformance.kit.webhooks import (
    Hooks,
    make_webhook,
    post_webhook,
    put_webhook,
    read_webhook,
    wait_for_marker,
    webhook,
)

KEY = {"api_key_name": "X-Key", "api_key_value": "first"}


@pytest.fixture
def made(tams: TamsClient) -> Json:
    return tams.make_flow()


# -- Keys


@pytest.mark.behaviour("AMB-13")
@pytest.mark.parametrize("name", KEY)
def test_a_key_needs_a_name_and_a_value(tams: TamsClient, name: str) -> None:
    response = post_webhook(tams, webhook(**{name: KEY[name]}))
    assert response.status_code == 400
    assert response.json()["field"] in KEY


@pytest.mark.behaviour("AMB-12", "HOOK-PUT-09")
def test_a_key_is_kept_for_the_same_header_and_receiver(tams: TamsClient, hooks: Hooks, made: Json) -> None:
    hook = hooks.make(SOURCE_UPDATED, source_ids=[made["source_id"]], **KEY)
    assert put_webhook(tams, hook.document, tags={"changed": "yes"}).status_code == 201
    wait_for_marker(tams, made["source_id"], hook)
    assert hook.events()[-1].delivery.headers["X-Key"] == "first"


@pytest.mark.behaviour("AMB-12")
@pytest.mark.parametrize(
    "change",
    [
        {"api_key_name": "X-Other"},
        {"url": "https://elsewhere.example.com/"},
        {"url": "http://example.com/"},
        {"url": "https://example.com:8443/"},
    ],
    ids=str,
)
def test_a_key_is_not_kept_for_another_header_or_receiver(tams: TamsClient, change: Json) -> None:
    document = make_webhook(tams, **KEY)
    response = put_webhook(tams, document, **change)
    assert (response.status_code, response.json()["field"]) == (400, "api_key_value")
    assert read_webhook(tams, document) == document
    assert put_webhook(tams, document, **change, api_key_value="second").status_code == 201


# -- Empty lists, and addresses


@pytest.mark.behaviour("AMB-09", "AMB-10")
@pytest.mark.parametrize("name", ["events", "flow_ids", "source_ids"])
def test_an_empty_list_is_accepted(tams: TamsClient, name: str) -> None:
    assert make_webhook(tams, **{name: []})[name] == []


@pytest.mark.behaviour("HOOK-POST-08", "AMB-44")
@pytest.mark.parametrize(
    "host", ["10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "[fd00::1]", "[::ffff:10.0.0.1]"]
)
def test_private_addresses_are_rejected_unless_allowed(tams: TamsClient, host: str) -> None:
    response = post_webhook(tams, webhook(url=f"http://{host}/"))
    assert (response.status_code, response.json()["field"]) == (400, "url")


@pytest.mark.behaviour("AMB-44")
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_addresses_allowed_by_the_settings_are_accepted(tams: TamsClient, host: str) -> None:
    assert post_webhook(tams, webhook(url=f"http://{host}:8000/")).status_code == 201


# -- Deliveries


@pytest.mark.behaviour("DLV-04", "AMB-14")
@pytest.mark.parametrize("status", [201, 202, 204, 299])
def test_every_2xx_is_a_success(tams: TamsClient, hooks: Hooks, made: Json, status: int) -> None:
    hook = hooks.make(SOURCE_UPDATED, source_ids=[made["source_id"]])
    hook.inbox.reply(Reply(status))
    for _ in range(2):
        wait_for_marker(tams, made["source_id"], hook)
    assert len(hook.inbox.deliveries()) == 2


@pytest.mark.behaviour("AMB-41", "DLV-11")
def test_the_id_of_a_delivery_is_the_same_in_every_attempt(tams: TamsClient, hooks: Hooks, made: Json) -> None:
    first, second = (hooks.make(SOURCE_UPDATED, source_ids=[made["source_id"]]) for _ in range(2))
    first.inbox.reply(Reply(503))
    for _ in range(2):
        wait_for_marker(tams, made["source_id"], first, second)
    ids = [[each.headers["TAMS-Delivery-Id"] for each in hook.inbox.deliveries()] for hook in (first, second)]
    assert [len(each) for each in ids] == [3, 2]
    assert ids[0][0] == ids[0][1]
    assert len({*ids[0], *ids[1]}) == 4


# -- Events


@pytest.mark.behaviour("AMB-19")
def test_an_event_about_a_collected_flow_names_the_collection(tams: TamsClient, hooks: Hooks, made: Json) -> None:
    hook = hooks.make(FLOW_UPDATED, source_ids=[made["source_id"]])
    before = tams.get(f"/flows/{made['id']}").json()
    collection = tams.make_flow(flow(MULTI, flow_collection=[{"id": made["id"]}]))
    event = hook.wait_for(
        FLOW_UPDATED, made["id"], lambda event: event.body["flow"].get("collected_by") == [collection["id"]]
    )
    assert event.body["flow"]["metadata_version"] == before["metadata_version"]
    delete_flow(tams, collection["id"])
    hook.wait_for(FLOW_UPDATED, made["id"], lambda event: not event.body["flow"].get("collected_by"))


@pytest.mark.behaviour("AMB-20")
def test_a_write_that_changes_nothing_makes_an_event(tams: TamsClient, hooks: Hooks, made: Json) -> None:
    hook = hooks.make(FLOW_UPDATED, source_ids=[made["source_id"]])
    for _ in range(2):
        assert tams.put(f"/flows/{made['id']}/label", "same").status_code == 204
    assert hook.receives(2, FLOW_UPDATED, about=made["id"]), hook.summary()


@pytest.mark.behaviour("AMB-22", "EVT-SD-04")
def test_each_contiguous_run_of_deleted_segments_is_an_event(tams: TamsClient, hooks: Hooks, made: Json) -> None:
    tams.make_segments(made["id"], ["[0:0_10:0)", "[10:0_20:0)", "[30:0_40:0]", "[40:1_50:0)", "[60:0_70:0)"])
    hook = hooks.make(SEGMENTS_DELETED, SOURCE_UPDATED, source_ids=[made["source_id"]])
    delete_segments(tams, made["id"], timerange="_")
    wait_for_marker(tams, made["source_id"], hook)
    timeranges = [event.body["timerange"] for event in hook.events(SEGMENTS_DELETED)]
    assert timeranges == ["[0:0_20:0)", "[30:0_50:0)", "[60:0_70:0)"]


@pytest.mark.behaviour("AMB-18")
def test_deleting_a_flow_makes_an_event_about_its_segments(tams: TamsClient, hooks: Hooks, made: Json) -> None:
    tams.make_segments(made["id"], ["[0:0_10:0)", "[10:0_20:0)"])
    hook = hooks.make(source_ids=[made["source_id"]])
    delete_flow(tams, made["id"])
    assert hook.wait_for(SEGMENTS_DELETED, made["id"]).body["timerange"] == "[0:0_20:0)"


@pytest.mark.behaviour("AMB-23", "EVT-SA-03")
def test_a_bulk_registration_is_one_event(tams: TamsClient, hooks: Hooks, made: Json) -> None:
    hook = hooks.make(SEGMENTS_ADDED, SOURCE_UPDATED, source_ids=[made["source_id"]])
    tams.make_segments(made["id"], [f"[{n}:0_{n + 1}:0)" for n in range(30)])
    wait_for_marker(tams, made["source_id"], hook)
    assert [len(event.body["segments"]) for event in hook.events(SEGMENTS_ADDED)] == [30]


@pytest.mark.behaviour("HOOK-POST-07")
def test_a_filter_may_name_a_flow_that_does_not_exist_yet(tams: TamsClient, hooks: Hooks) -> None:
    document = flow(id=fresh())
    hook = hooks.make("flows/created", flow_ids=[document["id"]])
    tams.make_flow(document)
    hook.wait_for("flows/created", document["id"])
