"""Request bodies: size, media type, JSON, and errors that name the member at fault."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import orjson
import pytest

from handlers.shared.call import ABSENT
from storage.catalog import Catalog
from storage.catalog.caller import Caller
from storage.errors import Forbidden, Invalid, NotFound
from storage.nul import unescape_json, unescape_nul
from tests.unit.conftest import TOKEN, Client
from tests.unit.stub_handlers import StubHandlers

FLOW = "10000000-0000-4000-8000-000000000001"
VIDEO: dict[str, Any] = {
    "id": FLOW,
    "source_id": "20000000-0000-4000-8000-000000000001",
    "format": "urn:x-nmos:format:video",
    "codec": "video/h264",
    "container": "video/mp2t",
    "essence_parameters": {"frame_rate": {"numerator": 25}, "frame_width": 1920, "frame_height": 1080},
}


def put(client: Client, body: Any, path: str = f"/flows/{FLOW}", **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.request("PUT", path, content=content, headers=headers)


def error_of(client: Client, body: Any, path: str = f"/flows/{FLOW}") -> dict[str, Any]:
    response = put(client, body, path)
    assert response.status_code == 400, response.text
    problem: dict[str, Any] = response.json()
    return problem


def test_a_valid_body_reaches_the_handler(client: Client, stub: StubHandlers) -> None:
    assert put(client, VIDEO).status_code == 200
    assert stub.call.body == VIDEO


@pytest.mark.behaviour("GEN-05")
def test_bare_values_are_documents(client: Client, stub: StubHandlers) -> None:
    put(client, "text", f"/flows/{FLOW}/label")
    assert stub.call.body == "text"
    put(client, 5000, f"/flows/{FLOW}/max_bit_rate")
    assert stub.call.body == 5000
    put(client, ["a", "b"], f"/flows/{FLOW}/tags/x")
    assert stub.call.body == ["a", "b"]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON; charset=UTF-8",
        "application/merge-patch+json",
        'application/json;charset="utf-8"',
        "",
    ],
)
def test_json_media_types_are_accepted(client: Client, content_type: str) -> None:
    assert put(client, VIDEO, **{"Content-Type": content_type}).status_code == 200


def test_a_body_without_content_type_is_json(client: Client) -> None:
    assert put(client, VIDEO).status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/json; charset=latin-1", "x"])
def test_other_media_types_are_rejected(client: Client, content_type: str) -> None:
    response = put(client, VIDEO, **{"Content-Type": content_type})
    assert response.status_code == 415
    assert content_type in response.json()["detail"]


@pytest.mark.behaviour("GEN-03")
@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff", b'{"a": NaN}', b'"\\ud800"', b"[1e400]", b"[" * 100_000, b'{"a":1}x', b"\xef\xbb\xbf{"],
)
def test_invalid_json_is_rejected(client: Client, body: bytes) -> None:
    assert "JSON" in error_of(client, body)["detail"]


@pytest.mark.behaviour("GEN-04")
def test_a_required_body_must_not_be_empty(client: Client) -> None:
    assert "empty" in error_of(client, b"")["detail"]


def test_an_optional_body_may_be_empty(client: Client, stub: StubHandlers) -> None:
    response = client.request("POST", f"/flows/{FLOW}/storage", headers={"Content-Type": "text/plain"})
    assert response.status_code == 200
    assert stub.call.body is ABSENT


def test_deep_nesting_is_rejected(client: Client) -> None:
    deep = json.loads("[" * 200 + "]" * 200)
    assert "deep" in error_of(client, {**VIDEO, "extra": deep})["detail"]


@pytest.mark.parametrize("text", ["a\0b", "\0", "\ufdd0", "\ufdd00\0\ufdd01", "\\u0000", "\\\0", "\ufdd00"])
def test_text_with_nul_is_stored_without_it(client: Client, stub: StubHandlers, text: str) -> None:
    tags = {text: [text, "plain"]}
    response = put(client, {**VIDEO, "label": text, "tags": tags}, f"/flows/{FLOW}")
    assert response.status_code == 200, response.text
    stored = stub.call.body
    assert "\0" not in orjson.dumps(stored).decode()
    assert unescape_nul(stored["label"]) == text
    assert orjson.loads(unescape_json(orjson.dumps(stored)))["tags"] == tags


@pytest.mark.behaviour("A21")
@pytest.mark.parametrize("value", ["9223372036854775808", "-6.4e189", "[1e300]"])
def test_numbers_of_any_size_are_accepted_in_unknown_members(client: Client, stub: StubHandlers, value: str) -> None:
    body = json.dumps({**VIDEO, "extra": 0}).replace('"extra": 0', f'"extra": {value}').encode()
    assert put(client, body, f"/flows/{FLOW}").status_code == 200


@pytest.mark.parametrize("number", ["9223372036854775808", "-9223372036854775809", "1e300", "18446744073709551616"])
def test_numbers_beyond_64_bits_are_rejected(client: Client, number: str) -> None:
    problem = error_of(client, number.encode(), f"/flows/{FLOW}/max_bit_rate")
    assert "64-bit" in problem["detail"]
    inner = json.dumps(VIDEO).replace("1920", number).encode()
    assert error_of(client, inner)["field"] == "essence_parameters.frame_width"


def test_whole_floats_become_integers(client: Client, stub: StubHandlers) -> None:
    put(client, b"5000.0", f"/flows/{FLOW}/max_bit_rate")
    assert repr(stub.call.body) == "5000"
    assert error_of(client, b"5000.5", f"/flows/{FLOW}/max_bit_rate")["detail"].startswith("the body: 5000.5 must be")


def test_a_body_that_is_too_large_is_rejected_before_it_is_read(client: Client) -> None:
    response = put(client, b" " * (16 * 2**20 + 1))
    assert response.status_code == 413
    assert response.headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"codec": None}, "codec", "is required"),
        ({"format": None}, "format", "is required"),
        ({"format": "video"}, "format", "must be one of urn:x-nmos:format:video, urn:x-nmos:format:audio"),
        ({"format": "urn:x-nmos:format:audio"}, "essence_parameters.sample_rate", "is required"),
        ({"container": 5}, "container", "5 must be of type string"),
        ({"generation": -1}, "generation", "-1 must be at least 0"),
        ({"source_id": "x" * 200}, "source_id", '"' + "x" * 56 + "... must match"),
        ({"tags": {"a": [5]}}, "tags.a.0", "5 must be of type string"),
        ({"created": "yesterday"}, "created", "must be in date-time format"),
    ],
)
def test_an_error_names_field_value_and_rule(client: Client, change: dict[str, Any], field: str, words: str) -> None:
    body = {name: value for name, value in {**VIDEO, **change}.items() if value is not None}
    problem = error_of(client, body)
    assert problem["field"] == field
    assert problem["detail"].startswith(field)
    assert words in problem["detail"]


def test_a_flow_with_a_profile_is_validated_as_such(client: Client) -> None:
    problem = error_of(client, {"id": FLOW, "source_id": VIDEO["source_id"], "profile_id": "x"})
    assert problem["field"] == "profile_id"


def test_items_of_a_list_are_named_by_index(client: Client) -> None:
    segments = [{"object_id": "a", "timerange": "[0:0_1:0)"}, {"object_id": "b"}]
    response = client.request("POST", f"/flows/{FLOW}/segments", json=segments)
    assert response.status_code == 400
    assert response.json()["field"] == "1.timerange"


def test_a_body_of_neither_form_is_an_error_of_its_type(client: Client) -> None:
    response = client.request("POST", f"/flows/{FLOW}/segments", json=5)
    assert response.json()["detail"] == "the body: 5 must be of type object or array"


@pytest.mark.behaviour("GEN-10")
@pytest.mark.parametrize("body", [b"{", b"", b"{}", b"[" * 9999])
def test_errors_about_the_resource_take_precedence(client: Client, stub: StubHandlers, body: bytes) -> None:
    checked: list[tuple[dict[str, str], str]] = []

    def missing(_catalog: Catalog, _caller: Caller, path: Mapping[str, str], operation_id: str, _deleted: bool) -> None:
        checked.append((dict(path), operation_id))
        raise NotFound("the flow does not exist")

    def read_only(_catalog: Catalog, _caller: Caller, _path: Mapping[str, str], _id: str, _deleted: bool) -> None:
        raise Forbidden("the flow is read-only")

    stub.check_resource = missing
    assert put(client, body).status_code == 404
    assert checked == [({"flowId": FLOW}, "PUT_flows-flowId")]
    stub.check_resource = read_only
    assert put(client, body).status_code == 403
    assert client.get(f"/flows/{FLOW}?include_timerange=x").status_code == 403
    assert not stub.calls
    stub.result = Invalid("found by the handler")
    assert client.get(f"/flows/{FLOW}").status_code == 403
    stub.check_resource = lambda _catalog, _caller, _path, _operation_id, _deleted: None
    assert client.get(f"/flows/{FLOW}").status_code == 400


def test_large_invalid_bodies_are_rejected_quickly(client: Client) -> None:
    segments = [{"object_id": f"o{i}", "timerange": f"[{i}:0_{i + 1}:0)"} for i in range(20_000)]
    segments[-1]["timerange"] = "x"
    started = time.perf_counter()
    response = client.request("POST", f"/flows/{FLOW}/segments", json=segments)
    assert response.json()["field"] == "19999.timerange"
    assert "TimeRange" in response.json()["detail"] or "must match" in response.json()["detail"]
    tags = {f"tag{i}": "x" for i in range(50_000)} | {"last": 5}
    assert error_of(client, {**VIDEO, "tags": tags})["detail"]
    assert time.perf_counter() - started < 5


def test_a_stalled_body_is_rejected(make_client: Callable[..., Client]) -> None:
    client = make_client(min_rate_window=0.05)
    messages: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(3600)

    async def send(message: Any) -> None:
        messages.append(message)

    headers = [(b"authorization", f"Bearer {TOKEN}".encode()), (b"content-length", b"5")]
    path = f"/flows/{FLOW}/label"
    scope = {"type": "http", "method": "PUT", "path": path, "query_string": b"", "headers": headers}
    client.run(client.app(scope, receive, send))
    assert messages[0]["status"] == 408
    assert (b"connection", b"close") in messages[0]["headers"]
