"""The requests that deliver events: the URLs of segments and when they are signed, and the header with the key."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from storage.catalog import Limits
from storage.catalog.clock import SECOND
from storage.catalog.webhooks.deliveries import WebhookRequest
from storage.errors import Forbidden
from storage.media.signing import UrlSigner
from tams_server.specification.load import Specification
from tests.conformance.kit.documents import Json, init_flow
from tests.unit.catalogs import BASE, CALLER, DEFAULT_BACKEND, RECEIVER, SECOND_BACKEND, World, open_world

UPLOAD_AND_DOWNLOAD_S = 600
ELSEWHERE = {"url": "https://elsewhere.example/media", "label": "elsewhere"}

Url = tuple[str, bool]
"""The label of a URL, and whether it is presigned."""
HOME_URLS: set[Url] = {("home", True), ("home", False)}
SECOND_URLS: set[Url] = {("second", True), ("second", False)}
OUTSIDE: set[Url] = {("elsewhere", False)}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world whose default store signs URLs by the clock of the test."""
    with open_world(tmp_path, Limits(object_grace_s=60)) as world:
        signer = UrlSigner(b"another secret of 16+", clock=lambda: world.clock() / SECOND)
        monkeypatch.setattr(world.stores[DEFAULT_BACKEND]._urls, "_signer", signer)
        yield world


@pytest.fixture
def flow_id(world: World) -> str:
    """A flow with a segment whose objects are on both backends; the init object also has an uncontrolled URL."""
    flow_id = world.make_flow(init_flow())
    world.allocate(flow_id, "init", "media")
    assert world.register(flow_id, segment("media", 10, init_object_id="init")) == []
    for object_id in ("init", "media"):
        world.catalog.copies.copy(CALLER, object_id, SECOND_BACKEND)
    world.catalog.objects.add_uncontrolled(CALLER, "init", ELSEWHERE["url"], ELSEWHERE["label"])
    world.clock.forward(1)
    return flow_id


def segment(object_id: str, start: int, **members: Any) -> Json:
    return {"object_id": object_id, "timerange": f"[{start}:0_{start + 1}:0)", **members}


def queued_requests(world: World, webhook_id: str) -> list[WebhookRequest]:
    """Return the requests for the events that are queued for a webhook, and leave these queued."""
    world.run_background_work()
    claim = world.delivery_job(webhook_id)
    if claim is None:
        return []
    found = [message for _, message in world.messages(claim) if message is not None]
    world.catalog.jobs.release(claim)
    return found


def only_request(world: World, webhook_id: str) -> WebhookRequest:
    (only,) = queued_requests(world, webhook_id)
    return only


def urls(item: Json) -> set[Url]:
    found = [(each["label"], each["presigned"]) for each in item["get_urls"]]
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.behaviour(
    "TRF-01", "TRF-02", "TRF-03", "TRF-04", "TRF-07", "TRF-08", "AMB-35", "EVT-SA-01", "HOOK-POST-04"
)  # fmt: skip
@pytest.mark.parametrize(
    ("options", "media", "init"),
    [
        ({}, HOME_URLS | SECOND_URLS, HOME_URLS | SECOND_URLS | OUTSIDE),
        ({"accept_get_urls": []}, set(), set()),
        ({"accept_get_urls": ["second"]}, SECOND_URLS, SECOND_URLS),
        ({"accept_get_urls": ["elsewhere", "home"]}, HOME_URLS, HOME_URLS | OUTSIDE),
        ({"accept_get_urls": ["unheard of"]}, set(), set()),
        ({"accept_storage_ids": []}, HOME_URLS | SECOND_URLS, HOME_URLS | SECOND_URLS | OUTSIDE),
        ({"accept_storage_ids": [DEFAULT_BACKEND]}, HOME_URLS, HOME_URLS),
        ({"accept_storage_ids": [DEFAULT_BACKEND, SECOND_BACKEND]}, HOME_URLS | SECOND_URLS, HOME_URLS | SECOND_URLS),
        ({"presigned": True}, {("home", True), ("second", True)}, {("home", True), ("second", True)}),
        ({"presigned": False}, {("home", False), ("second", False)}, {("home", False), ("second", False)} | OUTSIDE),
        (
            {"accept_get_urls": ["home", "elsewhere"], "presigned": False},
            {("home", False)},
            {("home", False)} | OUTSIDE,
        ),
        ({"accept_get_urls": ["home"], "accept_storage_ids": [SECOND_BACKEND]}, set(), set()),
        (
            {"accept_get_urls": ["second"], "accept_storage_ids": [SECOND_BACKEND], "presigned": True},
            {("second", True)},
            {("second", True)},
        ),
    ],
    ids=lambda value: str(sorted(value, key=str) if isinstance(value, set) else value),
)
def test_get_urls_match_the_options_of_the_webhook(
    world: World, flow_id: str, specification: Specification, options: Json, media: set[Url], init: set[Url]
) -> None:
    webhook = world.add_webhook("flows/segments_added", **options)
    assert world.register(flow_id, segment("media", 20, ts_offset="10:0")) == []
    body = only_request(world, webhook).body
    (item,) = body["event"]["segments"]
    assert urls(item) == media
    assert item["init_object"]["object_id"] == "init"
    assert urls(item["init_object"]) == init
    assert specification.webhooks[body["event_type"]].violation(body) is None


@pytest.mark.behaviour("TRF-05", "AMB-34")
@pytest.mark.parametrize("verbose", [None, False, True])
def test_get_urls_describe_their_backend_if_asked_for(world: World, flow_id: str, verbose: bool | None) -> None:
    options = {} if verbose is None else {"verbose_storage": verbose}
    webhook = world.add_webhook("flows/segments_added", **options)
    assert world.register(flow_id, segment("media", 20, ts_offset="10:0")) == []
    (item,) = only_request(world, webhook).body["event"]["segments"]
    for each in [*item["get_urls"], *item["init_object"]["get_urls"]]:
        plain = {"url", "presigned", "label"}
        if not verbose:
            assert set(each) == plain
        elif each["label"] == "elsewhere":
            assert set(each) == {*plain, "controlled"}
            assert each["controlled"] is False
        else:
            assert each["controlled"] is True
            assert each["storage_id"] == {"home": DEFAULT_BACKEND, "second": SECOND_BACKEND}[each["label"]]
            assert set(each) == {*plain, "controlled", "storage_id", "store_type", "provider", "store_product"}


@pytest.mark.behaviour("TRF-06")
@pytest.mark.parametrize("wanted", [None, False, True])
def test_the_object_timerange_is_sent_if_asked_for(world: World, flow_id: str, wanted: bool | None) -> None:
    options = {} if wanted is None else {"include_object_timerange": wanted}
    webhook = world.add_webhook("flows/segments_added", **options)
    new = segment("media", 20, ts_offset="10:0", sample_count=25, sample_offset=3, last_duration="0:40000000")
    assert world.register(flow_id, new) == []
    (item,) = only_request(world, webhook).body["event"]["segments"]
    assert item.get("object_timerange") == ("[10:0_11:0)" if wanted else None)
    assert {name: item[name] for name in new} == new
    assert set(item) - set(new) - {"object_timerange"} == {"get_urls", "init_object"}


@pytest.mark.behaviour("TRF-11")
def test_options_change_only_segments_added_events(world: World, flow_id: str) -> None:
    plain = world.add_webhook()
    options = {"presigned": True, "verbose_storage": True, "include_object_timerange": True}
    fancy = world.add_webhook(accept_get_urls=[], accept_storage_ids=[DEFAULT_BACKEND], **options)
    world.catalog.flows.set_member(CALLER, flow_id, "label", "x")
    world.clock.forward(1)
    world.delete_segments(flow_id)
    world.clock.forward(1)
    world.catalog.deletions.delete_flow(CALLER, flow_id)
    sent = world.deliver_events(plain)
    assert len(sent) == 4
    assert world.deliver_events(fancy) == sent


@pytest.mark.behaviour("EVT-SA-01")
def test_a_segment_without_an_init_object_is_sent_without_one(world: World) -> None:
    webhook = world.add_webhook("flows/segments_added")
    assert world.register(world.make_flow(), segment("elsewhere", 20, get_urls=[ELSEWHERE])) == []
    (item,) = only_request(world, webhook).body["event"]["segments"]
    assert "init_object" not in item
    assert item["get_urls"] == [{**ELSEWHERE, "presigned": False}]


@pytest.mark.behaviour("TRF-09")
def test_urls_are_signed_for_each_attempt(world: World, flow_id: str) -> None:
    webhook = world.add_webhook("flows/segments_added", accept_get_urls=["home"], presigned=True)
    assert world.register(flow_id, segment("media", 20, ts_offset="10:0")) == []

    def sent() -> str:
        (item,) = only_request(world, webhook).body["event"]["segments"]
        query: str = urlsplit(item["get_urls"][0]["url"]).query
        return query

    first = sent()
    world.clock.forward(2 * UPLOAD_AND_DOWNLOAD_S)
    second = sent()
    world.clock.forward(UPLOAD_AND_DOWNLOAD_S)
    world.stores[DEFAULT_BACKEND].check_signature("GET", "media", second)
    with pytest.raises(Forbidden):
        world.stores[DEFAULT_BACKEND].check_signature("GET", "media", first)


@pytest.mark.behaviour("TRF-09", "EVT-SA-01")
def test_urls_use_the_base_url_at_which_the_webhook_was_set(world: World, flow_id: str) -> None:
    webhook = world.add_webhook("flows/segments_added", accept_get_urls=["home"])
    assert world.register(flow_id, segment("media", 20, ts_offset="10:0")) == []
    (item,) = only_request(world, webhook).body["event"]["segments"]
    assert all(each["url"].startswith(f"{BASE}/") for each in item["get_urls"])
    body = {**world.webhook(webhook), "status": "created"}
    world.catalog.webhooks.replace(CALLER, webhook, body, "http://moved.example/tams")
    (item,) = only_request(world, webhook).body["event"]["segments"]
    assert all(each["url"].startswith("http://moved.example/tams/") for each in item["get_urls"])


@pytest.mark.behaviour("OBJ-LIFE-02")
def test_the_event_of_a_deleted_segment_is_sent_without_urls(
    world: World, flow_id: str, specification: Specification
) -> None:
    webhook = world.add_webhook("flows/segments_added")
    assert world.register(flow_id, segment("media", 20, ts_offset="10:0")) == []
    world.delete_segments(flow_id)
    world.clock.forward(60)
    world.run_background_work()
    body = only_request(world, webhook).body
    (item,) = body["event"]["segments"]
    assert item["object_id"] == "media"
    assert item["get_urls"] == []
    assert specification.webhooks[body["event_type"]].violation(body) is None


@pytest.mark.behaviour("DLV-02", "DLV-03", "HOOK-PUT-09", "HOOK-LIST-06")
def test_the_key_is_sent_and_a_new_key_takes_effect_at_once(world: World) -> None:
    keyed = world.add_webhook("flows/created", api_key_name="Authorization", api_key_value="Bearer abc")
    plain = world.add_webhook("flows/created")
    world.make_flow()
    assert only_request(world, plain).header is None
    assert only_request(world, keyed).header == ("Authorization", "Bearer abc")
    world.set_webhook(keyed, api_key_value="another")
    assert only_request(world, keyed).header == ("Authorization", "another")
    world.set_webhook(keyed, api_key_name="X-Key", api_key_value="third")
    assert only_request(world, keyed).header == ("X-Key", "third")
    world.set_webhook(keyed, api_key_name=None)
    assert only_request(world, keyed).header is None
    assert "api_key" not in str(only_request(world, keyed).body)


@pytest.mark.behaviour("HOOK-PUT-01", "HOOK-PUT-06")
def test_queued_events_follow_the_new_options(world: World, flow_id: str) -> None:
    webhook = world.add_webhook("flows/segments_added", accept_get_urls=["second"], verbose_storage=True)
    assert world.register(flow_id, segment("media", 20, ts_offset="10:0")) == []
    assert only_request(world, webhook).url == RECEIVER
    world.set_webhook(webhook, url="https://receiver.example/moved", accept_get_urls=["home"], verbose_storage=None)
    sent = only_request(world, webhook)
    assert sent.url == "https://receiver.example/moved"
    (item,) = sent.body["event"]["segments"]
    assert urls(item) == HOME_URLS
    assert all("storage_id" not in each for each in item["get_urls"])
