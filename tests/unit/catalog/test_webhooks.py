"""The rules of webhooks: who may see and change them, their secret, their status, and the effects of a PUT."""

import pytest

from storage.catalog import Limits
from storage.catalog.caller import Caller
from storage.catalog.paging import PageRequest
from storage.catalog.tags import TagFilter
from storage.errors import Forbidden, Invalid, NotFound
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh
from tests.unit.catalogs import BASE, CALLER, RECEIVER, World

LIMITS = Limits(webhook_give_up_s=100)

KEY = {"api_key_name": "X-Key", "api_key_value": "a secret"}
WRITER = Caller("writer", frozenset({"write"}))
READER = Caller("reader", frozenset({"read"}))
OTHER = Caller("another reader", frozenset({"read"}))
DELETER = Caller("deleter", frozenset({"delete"}))


def list_ids(world: World, caller: Caller = CALLER, tags: TagFilter | None = None, reverse: bool = False) -> list[str]:
    """Return the ids of the webhooks that a caller may see, read in pages of two."""
    found: list[str] = []
    key = None
    while True:
        request = PageRequest(limit=2, key=key, reverse=reverse)
        page = world.catalog.webhooks.page(caller, tags or TagFilter(), request)
        found += [item["id"] for item in page.items]
        key = page.next_key
        if key is None:
            return found


@pytest.mark.behaviour("HOOK-POST-01", "HOOK-POST-02", "HOOK-POST-10", "HOOK-POST-05", "HOOK-POST-13", "A21")
def test_a_webhook_is_returned_as_it_was_sent(world: World) -> None:
    body = {
        "url": RECEIVER,
        "events": ["flows/created"],
        "flow_ids": [],
        "source_ids": [fresh()],
        "flow_collected_by_ids": [],
        "source_collected_by_ids": [fresh()],
        "accept_get_urls": [],
        "accept_storage_ids": [],
        "presigned": False,
        "verbose_storage": True,
        "include_object_timerange": False,
        "tags": {"a": "b", "c": ["d", "e"]},
    }
    made = world.catalog.webhooks.create(CALLER, {**body, "id": "an id of the client", "unheard of": 1}, BASE)
    assert {name: value for name, value in made.items() if name not in ("id", "status")} == body
    assert made["status"] == "created"
    assert world.webhook(made["id"]) == made
    again = world.catalog.webhooks.create(CALLER, body, BASE)
    assert again["id"] not in (made["id"], "an id of the client")


@pytest.mark.behaviour("HOOK-LIST-06", "HOOK-POST-01", "HOOK-PUT-01")
def test_the_secret_is_never_returned(world: World) -> None:
    made = world.catalog.webhooks.create(CALLER, {"url": RECEIVER, "events": [], **KEY}, BASE)
    changed = world.set_webhook(made["id"], api_key_value="a new secret")
    page = world.catalog.webhooks.page(CALLER, TagFilter(), PageRequest()).items
    for shown in (made, changed, world.webhook(made["id"]), *page):
        assert shown["api_key_name"] == "X-Key"
        assert "secret" not in str(shown)


@pytest.mark.behaviour("AMB-13", "HOOK-POST-14")
@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"api_key_name": "X-Key"}, "api_key_value"),
        ({"api_key_value": "a secret"}, "api_key_name"),
        ({"api_key_name": "Host", "api_key_value": "a secret"}, "api_key_name"),
    ],
)
def test_api_key_name_and_value_must_be_a_valid_header(world: World, members: Json, field: str) -> None:
    webhook = world.add_webhook()
    with pytest.raises(Invalid) as rejected:
        world.add_webhook(**members)
    assert rejected.value.field == field
    assert "a secret" not in rejected.value.message
    with pytest.raises(Invalid) as rejected:
        world.set_webhook(webhook, **members)
    assert rejected.value.field == field
    assert list_ids(world) == [webhook]
    assert "api_key_name" not in world.webhook(webhook)


def secret_of(world: World, webhook_id: str) -> str | None:
    (row,) = [row for row in world.rows("webhooks") if row["id"] == webhook_id]
    secret: str | None = row["secret"]
    return secret


@pytest.mark.behaviour("AMB-12", "HOOK-PUT-06", "HOOK-PUT-09")
@pytest.mark.parametrize(
    ("changes", "secret"),
    [
        ({}, "a secret"),
        ({"api_key_value": "another"}, "another"),
        ({"api_key_name": None}, None),
        ({"api_key_name": "X-Other", "api_key_value": "another"}, "another"),
        ({"url": "https://receiver.example/another/path?x=y"}, "a secret"),
        ({"url": "HTTPS://Receiver.Example/hook"}, "a secret"),
        ({"url": "https://thief.example/hook", "api_key_value": "another"}, "another"),
        ({"url": "https://thief.example/hook", "api_key_name": None}, None),
    ],
    ids=str,
)
def test_the_secret_after_a_put(world: World, changes: Json, secret: str | None) -> None:
    webhook = world.add_webhook(**KEY)
    world.set_webhook(webhook, **changes)
    assert secret_of(world, webhook) == secret


@pytest.mark.behaviour("AMB-12", "HOOK-PUT-07")
@pytest.mark.parametrize(
    "changes",
    [
        {"api_key_name": "X-Other"},
        {"api_key_name": "x-key"},
        {"url": "https://thief.example/hook"},
        {"url": "http://receiver.example/hook"},
        {"url": "https://receiver.example:8443/hook"},
        {"url": "https://receiver.example.thief.example/hook"},
    ],
    ids=str,
)
def test_a_kept_secret_is_limited_to_its_receiver_and_header(world: World, changes: Json) -> None:
    webhook = world.add_webhook(**KEY)
    with pytest.raises(Invalid) as rejected:
        world.set_webhook(webhook, **changes, description="x")
    assert (rejected.value.field, rejected.value.behaviour) == ("api_key_value", "AMB-12")
    assert secret_of(world, webhook) == "a secret"
    assert world.webhook(webhook)["url"] == RECEIVER


@pytest.mark.behaviour("AMB-12")
def test_a_removed_secret_must_be_sent_again(world: World) -> None:
    webhook = world.add_webhook(**KEY)
    world.set_webhook(webhook, api_key_name=None)
    with pytest.raises(Invalid, match="api_key_value is required"):
        world.set_webhook(webhook, api_key_name="X-Key")


@pytest.mark.behaviour("HOOK-POST-08", "HOOK-PUT-10", "HOOK-PUT-07")
def test_a_forbidden_url_is_rejected(world: World) -> None:
    webhook = world.add_webhook("flows/created")
    with pytest.raises(Invalid, match="must not be reached"):
        world.add_webhook(url="https://forbidden/hook")
    with pytest.raises(Invalid, match="must not be reached"):
        world.set_webhook(webhook, url="https://forbidden/hook", events=[])
    assert list_ids(world) == [webhook]
    assert world.webhook(webhook)["url"] == RECEIVER
    world.make_flow()
    assert world.delivered_types(webhook) == ["flows/created"]


@pytest.mark.behaviour("HOOK-PUT-06", "HOOK-PUT-01")
def test_a_put_removes_members_that_it_omits(world: World) -> None:
    webhook = world.add_webhook(
        flow_ids=[fresh()], accept_get_urls=[], presigned=True, tags={"a": "b"}, include_object_timerange=True
    )
    body = {"id": webhook, "url": RECEIVER, "events": ["flows/deleted"], "status": "created"}
    shown = world.catalog.webhooks.replace(CALLER, webhook, body, BASE)
    assert shown == body
    assert world.webhook(webhook) == body
    assert list_ids(world, tags=TagFilter(exists={"a": True})) == []


@pytest.mark.behaviour("HOOK-PUT-04", "HOOK-PUT-05", "HOOK-DEL-02", "HOOK-GET-01", "A33")
def test_the_id_must_exist_and_match_the_path(world: World) -> None:
    webhook = world.add_webhook()
    body = {"id": fresh(), "url": RECEIVER, "events": [], "status": "created"}
    with pytest.raises(Invalid) as rejected:
        world.catalog.webhooks.replace(CALLER, webhook, body, BASE)
    assert rejected.value.field == "id"
    for unknown in (body["id"], fresh()):
        with pytest.raises(NotFound):
            world.catalog.webhooks.replace(CALLER, str(unknown), body, BASE)
        with pytest.raises(NotFound):
            world.catalog.webhooks.get(CALLER, str(unknown))
        with pytest.raises(NotFound):
            world.catalog.webhooks.delete(CALLER, str(unknown))
    world.catalog.webhooks.delete(CALLER, webhook)
    with pytest.raises(NotFound):
        world.catalog.webhooks.delete(CALLER, webhook)


@pytest.mark.behaviour("HOOK-LIST-05", "HOOK-GET-02", "AMB-25", "AMB-39", "HOOK-DEL-02")
@pytest.mark.parametrize(("caller", "may"), [(CALLER, True), (READER, True), (OTHER, False), (DELETER, False)], ids=str)
def test_a_webhook_is_for_its_owner_and_administrators(world: World, caller: Caller, may: bool) -> None:
    webhooks = world.catalog.webhooks
    webhook = world.add_webhook(caller=READER)
    body = {"id": webhook, "url": RECEIVER, "events": [], "status": "disabled"}
    assert list_ids(world, caller) == ([webhook] if may else [])
    if may:
        assert webhooks.get(caller, webhook)["id"] == webhook
        webhooks.replace(caller, webhook, body, BASE)
        assert list_ids(world, caller) == [webhook]
        assert list_ids(world, READER) == ([webhook] if caller == READER else []), (
            "the caller that changed it last owns it"
        )
        webhooks.delete(caller, webhook)
        assert list_ids(world) == []
        return
    with pytest.raises(NotFound):
        webhooks.get(caller, webhook)
    with pytest.raises(NotFound):
        webhooks.replace(caller, webhook, body, BASE)
    with pytest.raises(NotFound):
        webhooks.delete(caller, webhook)
    assert world.webhook(webhook)["status"] == "created"
    assert "reader" not in str(world.webhook(webhook))


@pytest.mark.behaviour("HOOK-PUT-08", "HOOK-DEL-02", "AMB-25")
def test_a_webhook_of_another_can_be_seen_but_not_changed_by_writers(world: World) -> None:
    webhooks = world.catalog.webhooks
    webhook = world.add_webhook(caller=READER)
    body = {"id": webhook, "url": RECEIVER, "events": [], "status": "disabled"}
    assert list_ids(world, WRITER) == [webhook]
    for change in (
        lambda: webhooks.require(WRITER, webhook, "write"),
        lambda: webhooks.replace(WRITER, webhook, body, BASE),
        lambda: webhooks.delete(WRITER, webhook),
    ):
        with pytest.raises(Forbidden, match="owner"):
            change()
    assert world.webhook(webhook)["status"] == "created"


@pytest.mark.behaviour("HOOK-LIST-02", "HOOK-LIST-03", "HOOK-LIST-04", "HOOK-POST-09")
def test_webhooks_are_sorted_by_url_and_filtered_by_tag(world: World) -> None:
    urls = ["https://b.example/", "https://a.example/", "https://b.example/", "https://c.example/"]
    made = [(url, world.add_webhook(url=url, tags={"n": [str(n), "all"]})) for n, url in enumerate(urls)]
    assert list_ids(world) == [webhook for _, webhook in sorted(made)]
    assert list_ids(world, reverse=True) == [webhook for _, webhook in sorted(made, reverse=True)]
    assert list_ids(world, tags=TagFilter(values={"n": ["3"]})) == [made[3][1]]
    assert len(list_ids(world, tags=TagFilter(values={"n": ["all"]}))) == 4
    world.set_webhook(made[3][1], tags={"m": "3"})
    assert list_ids(world, tags=TagFilter(exists={"n": False})) == [made[3][1]]
    world.catalog.webhooks.delete(CALLER, made[3][1])
    assert list_ids(world, tags=TagFilter(exists={"m": True})) == []
