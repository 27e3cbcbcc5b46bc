"""Webhooks: registration, and the documents that the server returns (HOOK-POST-*, HOOK-GET-*)."""

from typing import Any

import pytest

from tests.conformance.kit.changes import OMITTED, changed
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.events import ALL
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.skips import not_implemented
from tests.conformance.kit.webhooks import (
    LISTING,
    make_webhook,
    path_of,
    post_webhook,
    put_webhook,
    read_webhook,
    webhook,
)

SECRET = "Bearer kit-secret-that-nobody-may-see"
FILTERS = ("flow_ids", "source_ids", "flow_collected_by_ids", "source_collected_by_ids")
NEVER_MADE = "8f14e45f-ceea-467f-a8d4-dd1c3b1e0f00"
OPTIONS = [
    *((name, [NEVER_MADE]) for name in FILTERS),
    *((name, []) for name in FILTERS),
    ("accept_get_urls", ["left, right", "Ü"]),
    ("accept_get_urls", []),
    ("accept_storage_ids", [NEVER_MADE]),
    ("accept_storage_ids", []),
    *(
        (name, value)
        for name in ("presigned", "verbose_storage", "include_object_timerange")
        for value in (True, False)
    ),
]


# -- Accepted webhooks


@pytest.mark.behaviour("HOOK-POST-01", "HOOK-POST-05", "HOOK-POST-06", "HOOK-GET-01")
def test_a_webhook_needs_only_a_url_and_events(tams: TamsClient) -> None:
    body = {**webhook(status=None, events=["flows/deleted"], source_ids=[fresh()])}
    response = post_webhook(tams, body)
    assert response.status_code == 201
    assert body.items() <= response.json().items()
    assert response.json()["status"] in ("created", "started")
    shown = read_webhook(tams, response.json())
    assert {**shown, "status": ""} == {**response.json(), "status": ""}


@pytest.mark.behaviour("HOOK-POST-02")
def test_registering_a_webhook_twice_makes_two(tams: TamsClient) -> None:
    body = webhook(tags={"kit": fresh_name("tag")}, api_key_name="X-Key", api_key_value=SECRET)
    ids = [make_webhook(tams, **body)["id"] for _ in range(2)]
    assert ids[0] != ids[1]
    listed = [item["id"] for page in tams.pages(LISTING, **{"tag.kit": body["tags"]["kit"]}) for item in page.json()]
    assert sorted(listed) == sorted(ids)


@pytest.mark.behaviour("HOOK-POST-01", "HOOK-POST-03")
def test_every_event_type_of_the_specification_is_accepted(tams: TamsClient) -> None:
    assert make_webhook(tams, events=list(ALL))["events"] == list(ALL)


@pytest.mark.behaviour("HOOK-POST-05", "HOOK-POST-06")
@pytest.mark.parametrize(
    ("sent", "shown"), [("created", ("created", "started")), ("disabled", ("disabled",))], ids=["created", "disabled"]
)
def test_a_webhook_starts_with_the_given_status(tams: TamsClient, sent: str, shown: tuple[str, ...]) -> None:
    made = make_webhook(tams, status=sent, source_ids=[fresh()])
    assert made["status"] in shown
    assert read_webhook(tams, made)["status"] in shown


@pytest.mark.behaviour("HOOK-POST-04", "HOOK-POST-07", "HOOK-POST-10", "TRF-10", "AMB-10")
@pytest.mark.parametrize(("name", "value"), OPTIONS, ids=str)
def test_an_option_is_kept_as_sent_or_rejected(tams: TamsClient, name: str, value: Any) -> None:
    response = post_webhook(tams, webhook(**{name: value}))
    if response.status_code == 400:
        not_implemented(f"webhooks with {name}: {value}")
    assert response.status_code == 201
    assert response.json().get(name) == value
    assert read_webhook(tams, response.json()).get(name) == value


@pytest.mark.behaviour("HOOK-POST-10")
def test_omitted_options_are_not_shown_as_set(tams: TamsClient) -> None:
    shown = read_webhook(tams, make_webhook(tams))
    assert not {*FILTERS, "accept_get_urls", "accept_storage_ids", "presigned"} & shown.keys()
    assert not shown.get("verbose_storage")
    assert not shown.get("include_object_timerange")


@pytest.mark.behaviour("HOOK-POST-09", "HOOK-POST-10")
def test_tags_and_the_name_of_the_key_are_kept(tams: TamsClient) -> None:
    tags = {"kit": fresh_name("tag"), "many": ["a", "b"], "a/b.c": "Ü"}
    shown = read_webhook(tams, make_webhook(tams, tags=tags, api_key_name="Authorization", api_key_value=SECRET))
    assert shown["tags"] == tags
    assert shown["api_key_name"] == "Authorization"


@pytest.mark.behaviour("HOOK-POST-13")
def test_the_server_chooses_the_id(tams: TamsClient) -> None:
    sent = fresh()
    assert make_webhook(tams, id=sent)["id"] != sent


# -- Rejected webhooks


@pytest.mark.behaviour("HOOK-POST-03", "HOOK-POST-05", "HOOK-POST-07", "HOOK-POST-09", "SVC-GEN-04", "TAG-01")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("url", OMITTED),
        ("url", 5),
        ("url", None),
        ("events", OMITTED),
        ("events", "flows/created"),
        ("events", ["flows/created", "flows/renamed"]),
        ("events", [5]),
        ("events", None),
        ("status", "started"),
        ("status", "error"),
        ("status", "paused"),
        ("flow_ids", ["nonsense"]),
        ("source_ids", ["8F14E45F-CEEA-467F-A8D4-DD1C3B1E0F00"]),
        ("flow_collected_by_ids", [""]),
        ("source_collected_by_ids", [None]),
        ("flow_ids", NEVER_MADE),
        ("accept_get_urls", "label"),
        ("accept_storage_ids", ["nonsense"]),
        ("presigned", "true"),
        ("verbose_storage", 1),
        ("include_object_timerange", "false"),
        ("api_key_name", 5),
        ("tags.broken", 5),
    ],
    ids=str,
)
def test_an_invalid_webhook_is_rejected_and_not_stored(tams: TamsClient, name: str, value: Any) -> None:
    tag = fresh_name("tag")
    response = post_webhook(tams, changed(webhook(tags={"kit": tag}), name, value))
    assert response.status_code == 400
    assert tams.get(LISTING, **{"tag.kit": tag}).json() == []


@pytest.mark.behaviour("HOOK-POST-03", "SVC-GEN-04")
@pytest.mark.parametrize("body", [[], "text", None, 5], ids=str)
def test_a_webhook_that_is_not_an_object_is_rejected(tams: TamsClient, body: Any) -> None:
    assert post_webhook(tams, body).status_code == 400


@pytest.mark.behaviour("HOOK-POST-03", "HOOK-PUT-02", "SVC-GEN-04", "GEN-03")
@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("body", [b"", b"{", b"text", b'{"url": "https://receiver.example.com/"}{}'], ids=ascii)
def test_a_webhook_that_is_not_json_is_rejected(tams: TamsClient, method: str, body: bytes) -> None:
    made = make_webhook(tams)
    path = LISTING if method == "POST" else path_of(made)
    response = tams.request(method, path, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert read_webhook(tams, made) == made


FORBIDDEN_URLS = [
    "",
    "receiver.example.com/hook",
    "//receiver.example.com/hook",
    "/hook",
    "https:///hook",
    "file:///etc/passwd",
    "ftp://receiver.example.com/hook",
    "gopher://receiver.example.com/hook",
    "javascript:alert(1)",
    "data:text/plain,hook",
    "https://user:password@receiver.example.com/hook",
    "https://user@receiver.example.com/hook",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/",
    "http://0xA9FEA9FE/",
    "http://0251.0376.0251.0376/",
    "http://169.16689662/",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://0.0.0.0/",
    "http://[::]/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://receiver.example.com:0/",
    "http://receiver.example.com:99999/",
]
"""URLs that a server must not call: not HTTP, with a password, or inside its own network. Loopback and private
addresses are left out, because a deployment may allow them."""


@pytest.mark.behaviour("HOOK-POST-08", "AMB-43")
@pytest.mark.parametrize("url", FORBIDDEN_URLS)
def test_a_forbidden_url_is_rejected(tams: TamsClient, url: str) -> None:
    assert post_webhook(tams, webhook(url=url)).status_code == 400


@pytest.mark.behaviour("HOOK-PUT-10", "HOOK-PUT-07")
@pytest.mark.parametrize("url", [url for url in FORBIDDEN_URLS if "169.254" in url or "user" in url or "file" in url])
def test_a_webhook_cannot_be_changed_to_a_forbidden_url(tams: TamsClient, url: str) -> None:
    made = make_webhook(tams)
    assert put_webhook(tams, made, url=url).status_code == 400
    assert read_webhook(tams, made) == made


@pytest.mark.behaviour("HOOK-POST-14")
@pytest.mark.parametrize(
    "name",
    [
        "",
        "X Key",
        "X-Key:",
        "X-Key\r\nX-Other",
        "X-Key\n",
        "X-Kéy",
        "X\0Key",
        "Host",
        "content-length",
        "Content-Type",
        "Transfer-Encoding",
        "Connection",
    ],
    ids=ascii,
)
def test_a_key_name_that_is_not_a_free_header_is_rejected(tams: TamsClient, name: str) -> None:
    assert post_webhook(tams, webhook(api_key_name=name, api_key_value=SECRET)).status_code == 400


@pytest.mark.behaviour("HOOK-POST-14")
@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\rb", "a\0b"], ids=ascii)
def test_a_key_that_would_inject_headers_is_rejected(tams: TamsClient, value: str) -> None:
    assert post_webhook(tams, webhook(api_key_name="X-Key", api_key_value=value)).status_code == 400


# -- Returned documents


@pytest.mark.behaviour("HOOK-LIST-06")
def test_the_key_is_never_shown(tams: TamsClient) -> None:
    tag = fresh_name("tag")
    body = webhook(tags={"kit": tag}, api_key_name="X-Key", api_key_value=SECRET)
    posted = post_webhook(tams, body)
    assert posted.status_code == 201
    made = posted.json()
    responses = [
        posted,
        tams.get(path_of(made)),
        tams.get(LISTING, **{"tag.kit": tag}),
        put_webhook(tams, made, api_key_value=SECRET, tags={"kit": tag, "more": "tags"}),
        put_webhook(tams, made, api_key_value=SECRET, events=["flows/renamed"]),
        put_webhook(tams, made, api_key_value=[SECRET]),
        post_webhook(tams, {**body, "status": "started"}),
        post_webhook(tams, {**body, "api_key_value": {"secret": SECRET}}),
        post_webhook(tams, {**body, "api_key_value": f"{SECRET}\r\n"}),
        tams.get(path_of(made)),
    ]
    for response in responses:
        shown = response.text + str(response.headers)
        assert "kit-secret" not in shown, f"{response.request.method} shows the key: {shown}"
        assert "api_key_value" not in (response.text if response.status_code < 300 else "")


@pytest.mark.behaviour("HOOK-GET-01", "HOOK-HEAD-01", "SVC-GEN-01")
def test_head_of_a_webhook_matches_get(tams: TamsClient) -> None:
    made = make_webhook(tams)
    get, head = tams.get(path_of(made)), tams.head(path_of(made))
    assert (head.status_code, head.content) == (get.status_code, b"") == (200, b"")
    assert head.headers.get("Content-Type") == get.headers["Content-Type"]
