"""The limits of docs/limits.md: what fits is stored and addressed by its path; more is a 400 that names the field."""

import http.client
import secrets
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import requests

from storage.tables.limits import DOCUMENT, LABEL, MEDIA_URL, NAME, OBJECT_ID, ROLE, SECRET, TAG_NAME, TAG_VALUE
from storage.tables.limits import WEBHOOK_URL as URL
from tams_server.http.limits import FILTERS, LIST_ITEMS
from tests.api.in_process import TOKEN, Running, serving
from tests.conformance.kit.documents import flow

ODD_NAMES = [
    *("a/b", "/", "//", "a/../b", "a ", " ", "...", ".a", "%", "%2E", "a?b", "a#b", "a+b", "\n", "\t", "\x1b[1m"),
    *("é", "🎞"),
]
UNADDRESSABLE = ["", ".", ".."]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("limits"), webhook_allow="127.0.0.0/8") as running:
        yield running


@pytest.fixture
def tams(running: Running) -> httpx.Client:
    return running.client


@pytest.fixture
def stored(tams: httpx.Client) -> dict[str, Any]:
    document = flow()
    tams.put(f"/flows/{document['id']}", json=document).raise_for_status()
    return document


def rejected(response: httpx.Response | requests.Response, field: str) -> None:
    """Check for a short 400 that names the field."""
    assert response.status_code == 400, response.text[:300]
    assert response.json()["field"] == field
    assert len(response.content) < 4096


def _long(size: int) -> str:
    return "é" * (size // 2) + "x" * (size % 2)


@pytest.mark.parametrize(
    ("field", "most", "member"),
    [
        ("codec", NAME, lambda text: {"codec": "video/" + "x" * (len(text.encode()) - 6)}),
        ("container", NAME, lambda text: {"container": "video/" + "x" * (len(text.encode()) - 6)}),
        ("created_by", NAME, lambda text: {"created_by": text}),
        ("tags.t", TAG_VALUE, lambda text: {"tags": {"t": text}}),
        ("tags.t.1", TAG_VALUE, lambda text: {"tags": {"t": ["x", text]}}),
    ],
)
def test_a_member_of_a_flow_has_a_limit(tams: httpx.Client, field: str, most: int, member: Any) -> None:
    document = flow()
    path = f"/flows/{document['id']}"
    rejected(tams.put(path, json=document | member(_long(most + 1))), field)
    assert tams.get(path).status_code == 404
    assert tams.put(path, json=document | member(_long(most))).status_code == 201
    assert tams.get(path).json().items() >= member(_long(most)).items()


def test_other_members_of_a_flow_have_limits(tams: httpx.Client, stored: dict[str, Any]) -> None:
    path = f"/flows/{stored['id']}"
    rejected(tams.put(f"{path}/label", json="x" * (DOCUMENT + 1)), "label")
    member = [{"id": stored["id"], "role": _long(ROLE + 1)}]
    rejected(tams.put(f"{path}/flow_collection", json=member), "flow_collection.0.role")
    rejected(tams.put(f"{path}/description", json="x" * (DOCUMENT + 1)), "description")
    rejected(tams.put(f"{path}/tags/t", json=_long(TAG_VALUE + 1)), "tags.t")
    long_name = quote("n" * (TAG_NAME + 1))
    assert tams.put(f"{path}/tags/{long_name}", json="x").status_code == 400
    rejected(tams.put(f"/sources/{stored['source_id']}/label", json="x" * (DOCUMENT + 1)), "label")
    rejected(tams.put(f"/sources/{stored['source_id']}/tags/t", json=_long(TAG_VALUE + 1)), "tags.t")
    rejected(tams.post("/service", json={"name": "x" * DOCUMENT}), "name")


def test_webhooks_have_limits(tams: httpx.Client) -> None:
    start = "http://127.0.0.1/"
    body = {"url": start, "events": ["flows/created"], "api_key_name": "X-Key", "api_key_value": "v"}
    ids = [str(uuid.uuid4()) for _ in range(501)]
    for field, wrong in {
        "url": start + "x" * (URL + 1 - len(start)),
        "api_key_name": "x" * (NAME + 1),
        "api_key_value": "x" * (SECRET + 1),
        "flow_ids": ids,
        "source_ids": ids,
        "flow_collected_by_ids": ids,
        "source_collected_by_ids": ids,
        "accept_storage_ids": ids,
        "accept_get_urls": ["x"] * 501,
        "events": ["flows/created"] * 501,
    }.items():
        rejected(tams.post("/service/webhooks", json=body | {field: wrong}), field)
    assert tams.get("/service/webhooks").json() == []
    most = {"url": start + "x" * (URL - len(start)), "api_key_value": "x" * SECRET, "flow_ids": ids[:500]}
    assert tams.post("/service/webhooks", json=body | most).status_code == 201


def test_objects_and_their_urls_have_limits(tams: httpx.Client, stored: dict[str, Any]) -> None:
    path = f"/flows/{stored['id']}"
    rejected(tams.post(f"{path}/storage", json={"object_ids": ["x", _long(OBJECT_ID + 1)]}), "object_ids.1")
    assert tams.post(f"{path}/storage", json={"object_ids": [_long(OBJECT_ID)]}).status_code == 201
    start = "https://example.com/"
    segment = {"object_id": _long(OBJECT_ID - 1) + "y", "timerange": "[0:0_1:0)"}
    good = {"label": _long(LABEL), "url": start + "x" * (MEDIA_URL - len(start))}
    for field, urls in {
        "get_urls.0.label": [good | {"label": _long(LABEL + 1)}],
        "get_urls.0.url": [good | {"url": good["url"] + "x"}],
        "get_urls.100": [{"label": str(number), "url": start} for number in range(101)],
    }.items():
        rejected(tams.post(f"{path}/segments", json=segment | {"get_urls": urls}), field)
    rejected(tams.post(f"{path}/segments", json=segment | {"object_id": "x" * 2_000_000}), "object_id")
    assert tams.post(f"{path}/segments", json=segment | {"get_urls": [good]}).status_code == 201
    found = tams.get(f"/objects/{quote(segment['object_id'], safe='')}").json()
    assert [url["label"] for url in found["get_urls"]] == [good["label"]]


@pytest.mark.parametrize(
    ("path", "prefix"),
    [("/flows", "tag"), ("/flows", "tag_exists"), ("/sources", "tag"), ("/service/storage-backends", "tag")],
)
def test_a_query_has_a_number_of_filters(tams: httpx.Client, path: str, prefix: str) -> None:
    value = "true" if prefix == "tag_exists" else "x"
    many = {f"{prefix}.{number}": value for number in range(FILTERS + 1)}
    response = tams.get(path, params=many)
    rejected(response, f"{prefix}.{{name}}")
    assert f"at most {FILTERS}" in response.json()["message"]
    many.popitem()
    assert tams.get(path, params=many).status_code == 200


def test_a_list_in_a_query_has_a_number_of_items(tams: httpx.Client, stored: dict[str, Any]) -> None:
    segments = f"/flows/{stored['id']}/segments"
    ids = [str(uuid.uuid4()) for _ in range(LIST_ITEMS + 1)]
    labels = [f"l{number}" for number in range(LIST_ITEMS + 1)]
    lists = [("/flows", "collected_by_ids", ids), (segments, "accept_storage_ids", ids)]
    lists += [(segments, "accept_get_urls", labels), ("/flows", "tag.a", labels)]
    for path, name, items in lists:
        response = tams.get(path, params={name: ",".join(items)})
        rejected(response, name)
        assert f"at most {LIST_ITEMS}" in response.json()["message"]
        assert tams.get(path, params={name: ",".join(items[1:])}).status_code == 200


@pytest.mark.parametrize(
    ("text", "limit"),
    [("0" * 30 + "10", 10), ("%2B5", 5), ("1" + "0" * 5000, 1000), ("0" * 5000 + "7", 7), ("-0", None), ("0", None)],
    ids=lambda value: str(value)[:12],
)
def test_a_limit_is_compared_as_an_integer(tams: httpx.Client, text: str, limit: int | None) -> None:
    response = tams.get(f"/flows?limit={text}")
    zero = tams.get("/flows?limit=0")
    if limit is None:
        assert response.status_code == zero.status_code
    else:
        assert response.headers["X-Paging-Limit"] == str(limit)


@pytest.mark.parametrize(("name", "path"), [("", ""), (".", "%2E"), ("..", "%2E%2E")])
def test_a_tag_with_a_name_that_clients_resolve_has_a_path(running: Running, name: str, path: str) -> None:
    document = flow() | {"tags": {name: "x", "other": "y"}}
    tams = running.client
    tags = f"/flows/{document['id']}/tags"
    assert tams.put(f"/flows/{document['id']}", json=document).status_code == 201
    assert raw_status(running, "PUT", f"{tags}/{path}", b'"z"') == 204
    assert tams.get(tags).json() == {name: "z", "other": "y"}
    assert raw_status(running, "GET", f"{tags}/{path}") == 200
    assert raw_status(running, "DELETE", f"{tags}/{path}") == 204
    assert tams.get(tags).json() == {"other": "y"}


def raw_status(running: Running, method: str, path: str, body: bytes | None = None) -> int:
    """The status of a request whose path no client library has changed."""
    url = httpx.URL(running.url)
    connection = http.client.HTTPConnection(url.host, url.port)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("size", [2_048, 2_049, 12_000])
def test_a_long_label_is_stored_found_and_sorted(tams: httpx.Client, size: int) -> None:
    label = fresh_text(size)
    document = flow() | {"label": label}
    path = f"/flows/{document['id']}"
    assert tams.put(path, json=document).status_code == 201
    assert tams.put(f"/sources/{document['source_id']}/label", json=label).status_code == 204
    assert tams.get(path).json()["label"] == label
    assert [each["id"] for each in tams.get("/flows", params={"label": label}).json()] == [document["id"]]
    assert [each["label"] for each in tams.get("/sources", params={"label": label}).json()] == [label]
    assert tams.get("/flows", params={"label": label[:-1]}).json() == []


def fresh_text(size: int) -> str:
    """Text that does not compress."""
    return secrets.token_urlsafe(size)[:size]


@pytest.mark.parametrize("object_id", UNADDRESSABLE)
def test_an_object_without_a_path_is_rejected(tams: httpx.Client, stored: dict[str, Any], object_id: str) -> None:
    path = f"/flows/{stored['id']}"
    rejected(tams.post(f"{path}/storage", json={"object_ids": [object_id]}), "object_ids.0")
    urls = [{"label": "l", "url": "https://example.com/"}]
    segment = {"object_id": object_id, "timerange": "[0:0_1:0)", "get_urls": urls}
    rejected(tams.post(f"{path}/segments", json=segment), "object_id")


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("library", ["httpx", "requests"])
def test_what_is_stored_is_read_changed_and_deleted_by_its_path(
    running: Running, stored: dict[str, Any], name: str, library: str
) -> None:
    client: Any = httpx if library == "httpx" else requests
    headers = {"Authorization": f"Bearer {TOKEN}"}
    path = f"{running.url}/flows/{stored['id']}"
    document = stored | {"tags": {name: "one"}}
    assert client.put(path, json=document, headers=headers).status_code == 204
    tag = f"{path}/tags/{quote(name, safe='')}"
    assert client.get(tag, headers=headers).json() == "one"
    assert client.put(tag, json=["two"], headers=headers).status_code == 204
    assert client.get(path, headers=headers).json()["tags"] == {name: ["two"]}
    assert client.delete(tag, headers=headers).status_code == 204
    assert client.get(tag, headers=headers).status_code == 404

    urls = [{"label": name, "url": "https://example.com/1"}, {"label": "b", "url": "https://example.com/2"}]
    segment = {"object_id": name, "timerange": "[0:0_1:0)", "get_urls": urls}
    created = client.post(f"{path}/segments", json=segment, headers=headers)
    assert created.status_code == 201, created.text
    read = f"{running.url}/objects/{quote(name, safe='')}"
    assert client.get(read, headers=headers).json()["id"] == name
    label = quote(name, safe="")
    assert client.delete(f"{read}/instances?label={label}", headers=headers).status_code == 204
    assert [url["label"] for url in client.get(read, headers=headers).json()["get_urls"]] == ["b"]
    assert client.delete(f"{path}/segments?object_id={label}", headers=headers).status_code == 204
    assert client.get(read, headers=headers).status_code == 404
