"""Malformed bodies of webhooks: rejected or harmless, and their secret is never in a response."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conformance.kit.documents import Json
from tests.conformance.kit.events import ALL
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.server import Subject
from tests.conformance.kit.webhooks import LISTING
from tests.fuzz.malformed_webhooks import (
    BAD_HOSTS,
    BAD_NAMES,
    BAD_PORTS,
    BAD_URLS,
    BAD_VALUES,
    LOOPBACK_HOSTS,
    MEMBERS,
    SECRET,
    WRONG_VALUES,
)
from tests.fuzz.raw_client import RawClient, Response

URL = "http://127.0.0.1:9/"


@pytest.fixture(autouse=True)
def raw_client(subject: Subject) -> Iterator[RawClient]:
    """A raw client. The server must still respond after the test."""
    raw_client = RawClient(subject)
    yield raw_client
    assert raw_client.request("GET", "/service").status == 200


@pytest.fixture(scope="module")
def known(subject: Subject) -> Iterator[Json]:
    """An existing webhook, with the members of its body."""
    headers = {"Authorization": f"Bearer {subject.token}"}
    with httpx.Client(base_url=subject.url, headers=headers) as client:
        body = silent()
        yield {**body, "id": client.post(LISTING, json=body).raise_for_status().json()["id"]}


def silent(**members: Any) -> Json:
    """A valid body of a disabled webhook with every member, some of them replaced."""
    return {
        "url": URL,
        "api_key_name": "X-Key",
        "api_key_value": SECRET,
        "events": list(ALL),
        "flow_ids": [fresh()],
        "source_ids": [fresh()],
        "flow_collected_by_ids": [],
        "source_collected_by_ids": [],
        "accept_get_urls": ["a"],
        "accept_storage_ids": [],
        "presigned": True,
        "verbose_storage": True,
        "include_object_timerange": True,
        "tags": {"kit": [fresh_name()]},
        "status": "disabled",
        **members,
    }


def post_and_put(raw_client: RawClient, known: Json, members: Json) -> list[Response]:
    """The responses to creating a webhook with these members, and to changing the existing one to them."""
    post = json.dumps(silent(**members)).encode()
    put = json.dumps(silent(**{"id": known["id"], **members})).encode()
    return [send(raw_client, "POST", LISTING, post), send(raw_client, "PUT", f"{LISTING}/{known['id']}", put)]


def send(raw_client: RawClient, method: str, path: str, body: bytes) -> Response:
    """Send a request. Fails on a 5xx, or if the response or the listing contains the secret."""
    response = raw_client.request(method, path, body)
    response.check()
    if response.status == 201:
        listed = raw_client.request("GET", f"{LISTING}/{json.loads(response.body)['id']}")
        assert listed.status == 200, listed
        assert SECRET not in str(listed)
    assert SECRET not in str(response), response
    return response


@pytest.mark.parametrize("host", BAD_HOSTS, ids=ascii)
def test_forbidden_hosts_are_rejected(raw_client: RawClient, known: Json, host: str) -> None:
    for scheme in ("http", "HTTPS"):
        for response in post_and_put(raw_client, known, {"url": f"{scheme}://{host}/a"}):
            assert response.status == (400), response


@pytest.mark.parametrize("host", LOOPBACK_HOSTS, ids=ascii)
def test_unusual_spellings_of_loopback_hosts_are_accepted(raw_client: RawClient, known: Json, host: str) -> None:
    for response in post_and_put(raw_client, known, {"url": f"http://{host}:9/a"}):
        assert response.status in (201, 400), response


@pytest.mark.parametrize("port", BAD_PORTS, ids=lambda port: ascii(port)[:20])
def test_ports_out_of_range_are_rejected(raw_client: RawClient, known: Json, port: str) -> None:
    for response in post_and_put(raw_client, known, {"url": f"http://127.0.0.1:{port}/a"}):
        assert response.status == 400, response


@pytest.mark.parametrize("url", BAD_URLS, ids=lambda url: ascii(url)[:30])
def test_invalid_urls_are_rejected(raw_client: RawClient, known: Json, url: str) -> None:
    for response in post_and_put(raw_client, known, {"url": url}):
        assert response.status == 400, response


@pytest.mark.parametrize("member", MEMBERS)
def test_members_of_wrong_types_do_not_fail_the_server(raw_client: RawClient, known: Json, member: str) -> None:
    for value in WRONG_VALUES:
        post_and_put(raw_client, known, {member: value})


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name)[:30])
def test_forbidden_header_names_are_rejected(raw_client: RawClient, known: Json, name: str) -> None:
    for response in post_and_put(raw_client, known, {"api_key_name": name}):
        assert response.status == 400, response


@pytest.mark.parametrize("value", BAD_VALUES, ids=lambda value: ascii(value)[:40])
def test_a_secret_that_is_not_a_header_value_is_rejected_and_not_shown(
    raw_client: RawClient, known: Json, value: str
) -> None:
    for response in post_and_put(raw_client, known, {"api_key_value": value}):
        assert response.status == 400, response


WHOLE = silent()
TEXT = json.dumps(WHOLE)
MEMBER = f'"api_key_value": "{SECRET}"'
LEAKY: dict[str, str] = {
    "the body in a list": f"[{TEXT}]",
    "the body in lists": f"[[{TEXT}]]",
    "the body in a list with more": f'[{{"events": [], {MEMBER}}}, 5]',
    "the body in a long list": f"[{{{MEMBER}}}{', 0' * 6000}]",
    "the body in text": json.dumps(TEXT),
    "a member in text": json.dumps(f"{{{MEMBER}}}"),
    "a member of a form in text": f'"api_key_value={SECRET}"',
    "text in text": json.dumps(json.dumps(f"{{{MEMBER}}}")),
    "text in a list": json.dumps([f"{{{MEMBER}}}"]),
    "name and value in a list": f'["api_key_value", "{SECRET}"]',
    "pairs": f'[["url", "{URL}"], ["api_key_value", "{SECRET}"]]',
    "name and value as members": f'[{{"name": "api_key_value", "value": "{SECRET}"}}]',
    "half": TEXT[: TEXT.index(SECRET) + len(SECRET)],
    "half, with quote": TEXT[: TEXT.index(SECRET) + len(SECRET) + 1],
    "without braces": TEXT[1:-1],
    "single quotes": TEXT.replace('"', "'"),
    "no quotes": f"{{api_key_value: {SECRET}}}",
    "a comma too many": TEXT[:-1] + ",}",
    "a bad escape": TEXT.replace(SECRET, SECRET + "\\x"),
    "a lone surrogate": TEXT.replace(SECRET, SECRET + "\\ud800"),
    "a line break in text": TEXT.replace(SECRET, SECRET + "\n"),
    "U+0000": TEXT.replace(SECRET, SECRET + "\\u0000"),
    "U+0000 elsewhere": TEXT.replace("X-Key", "X-Key\\u0000"),
    "two bodies": TEXT + TEXT,
    "more after it": TEXT + SECRET,
    "deep": TEXT[:-1] + ', "x": ' + "[" * 100 + "]" * 100 + "}",
    "given twice": TEXT[:-1] + f', "api_key_value": 5, {MEMBER}}}',
    "given twice, wrong at last": TEXT[:-1] + ', "api_key_value": 5}',
    "a number": TEXT.replace(f'"{SECRET}"', "1e999"),
    "no url": json.dumps({name: value for name, value in WHOLE.items() if name != "url"}),
    "no name": json.dumps({name: value for name, value in WHOLE.items() if name != "api_key_name"}),
    "nothing else": f"{{{MEMBER}}}",
    "nothing else right": f'{{"url": 5, "events": 5, "api_key_name": 5, {MEMBER}}}',
}
WRAPPINGS: dict[str, Any] = {
    "list": [SECRET],
    "long list": [SECRET] + ["x"] * 6000,
    "object": {"value": SECRET},
    "name": {SECRET: 1},
    "name with U+0000": {f"{SECRET}\0": 1},
    "name of a number": {SECRET: 2**63},
    "nested": [[{"a": [SECRET]}]],
}


@pytest.mark.parametrize("body", LEAKY.values(), ids=LEAKY.keys())
def test_a_secret_is_not_shown_in_errors_about_the_body(raw_client: RawClient, known: Json, body: str) -> None:
    """Bodies are malformed in several ways, and sent also to operations that take no secret."""
    for method, path in (("POST", LISTING), ("PUT", f"{LISTING}/{known['id']}"), ("PUT", f"{LISTING}/{fresh()}")):
        send(raw_client, method, path, body.encode())
    response = raw_client.request("POST", "/service/nothing", body.encode())
    assert SECRET not in str(response)


@pytest.mark.parametrize("value", WRAPPINGS.values(), ids=WRAPPINGS.keys())
def test_a_secret_of_a_wrong_type_is_not_shown(raw_client: RawClient, known: Json, value: Any) -> None:
    for response in post_and_put(raw_client, known, {"api_key_value": value}):
        assert response.status == 400, response


@pytest.mark.parametrize("member", [member for member in MEMBERS if member != "api_key_value"])
def test_a_secret_is_not_shown_in_errors_about_other_members(raw_client: RawClient, known: Json, member: str) -> None:
    """Not even if the member itself contains a secret, among few or very many parts. A tag of that name is a tag."""
    filling = {str(number): ["x"] for number in range(3000)}
    inner = {"api_key_value": SECRET}
    for value in (
        inner,
        [inner],
        [[inner]],
        {"a": inner},
        {**filling, "a": inner},
        [inner, *["x"] * 6000],
        json.dumps(inner),
    ):
        body = json.dumps(silent(**{"id": known["id"], member: value})).encode()
        for method, path in (("POST", LISTING), ("PUT", f"{LISTING}/{known['id']}")):
            response = raw_client.request(method, path, body)
            response.check()
            assert response.status == 201 or SECRET not in str(response), response


@pytest.mark.parametrize("number", ["9223372036854775808", "98765432109876543210", "9.8765432109876543210e30", "-9e99"])
def test_a_secret_number_is_not_shown(raw_client: RawClient, known: Json, number: str) -> None:
    body = TEXT.replace(f'"{SECRET}"', number)
    for method, path in (("POST", LISTING), ("PUT", f"{LISTING}/{known['id']}")):
        response = raw_client.request(method, path, body.encode())
        assert response.status == 400
        assert number[:8] not in str(response), response
        assert str(int(float(number)))[:8] not in str(response), response
