"""Headers and URLs of the server stay short, whatever clients have stored and whatever they ask for."""

import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import flow

HEADERS_BYTES = 4096
KEY_BYTES = 200
URL_CHARACTERS = 2048
LABELS = ["x" * 2000, "é" * 1000, '"' * 2000, "日" * 600, "%" * 1500]
OBJECT_IDS = ["a" * 400, "é" * 200, "日" * 133, "!" * 400, "\x01" * 400, "/" * 400, "%" * 400, ("." * 3 + "/") * 100]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("long")) as running:
        yield running


@pytest.fixture(scope="module")
def labelled(running: Running) -> list[dict[str, Any]]:
    documents = [flow() | {"label": label} for label in LABELS for _ in range(2)]
    for document in documents:
        assert running.client.put(f"/flows/{document['id']}", json=document).status_code == 201
        label = running.client.put(f"/sources/{document['source_id']}/label", json=document["label"])
        assert label.status_code == 204
    return documents


def check_headers(response: httpx.Response, most: int = HEADERS_BYTES) -> None:
    assert response.is_success, response.text
    assert sum(len(name) + len(value) + 4 for name, value in response.headers.raw) < most
    assert len(response.headers.get("X-Paging-NextKey", "")) < KEY_BYTES


def walk(running: Running, path: str, **query: Any) -> list[dict[str, Any]]:
    """Follow the links of a listing, in pages of one item."""
    items = []
    url = str(httpx.URL(path, params={**query, "limit": 1}))
    while url:
        response = running.client.get(url)
        check_headers(response)
        items += response.json()
        url = response.links.get("next", {}).get("url", "")
    return items


@pytest.mark.behaviour("PAGE-05", "SORT-07")
@pytest.mark.parametrize("path", ["/flows", "/sources"])
@pytest.mark.parametrize("reverse", ["false", "true"])
def test_pages_sorted_by_long_labels(running: Running, labelled: list[dict[str, Any]], path: str, reverse: str) -> None:
    key = "id" if path == "/flows" else "source_id"
    items = walk(running, path, sort_by="label", reverse_order=reverse)
    ordered = sorted(labelled, key=lambda document: (document["label"], document[key]), reverse=reverse == "true")
    assert [item["id"] for item in items] == [document[key] for document in ordered]


def test_pages_of_webhooks_with_long_urls(running: Running) -> None:
    for number in range(3):
        webhook = {"url": f"https://receiver.example/{'x' * 1900}{number}", "events": ["flows/created"]}
        assert running.client.post("/service/webhooks", json=webhook).status_code == 201
    assert len(walk(running, "/service/webhooks")) == 3


@pytest.mark.parametrize("object_id", OBJECT_IDS, ids=lambda id_: repr(id_[:4]))
def test_objects_with_the_longest_ids(running: Running, object_id: str) -> None:
    for number in range(2):
        document = flow()
        path = f"/flows/{document['id']}"
        assert running.client.put(path, json=document).status_code == 201
        if number == 0:
            allocated = running.client.post(f"{path}/storage", json={"object_ids": [object_id]})
            assert allocated.status_code == 201, allocated.text
            put_url = allocated.json()["media_objects"][0]["put_url"]
            assert len(put_url["url"]) < URL_CHARACTERS
            assert httpx.put(put_url["url"], content=b"x", headers={"Content-Type": put_url["content-type"]}).is_success
        segment = {"object_id": object_id, "timerange": "[0:0_1:0)"}
        assert running.client.post(f"{path}/segments", json=segment).status_code == 201
        segments = running.client.get(f"{path}/segments?limit=1")
        check_headers(segments)
        urls = [each["url"] for each in segments.json()[0]["get_urls"]]
        assert urls
        assert max(map(len, urls)) < URL_CHARACTERS
        assert httpx.get(urls[0]).content == b"x"
    response = running.client.get(f"/objects/{quote(object_id, safe='')}?limit=1")
    check_headers(response)
    following = running.client.get(response.links["next"]["url"])
    check_headers(following)
    assert response.json()["referenced_by_flows"] != following.json()["referenced_by_flows"]


@pytest.mark.behaviour("PAGE-05")
@pytest.mark.parametrize(
    "query",
    [
        f"tag.{'n' * 400}=" + ",".join("abcdefghij" * 15),
        "tag.x=" + ",".join("abcdefghij" * 100),
        "label=" + "(" * 3000,
        "label=" + ",;" * 1000,
        "tag.x=" + "a%2Cb" * 500,
        "ignored=" + "x" * 3000,
        "page_=" + ";" * 3000 + "&limit_=1",
    ],
    ids=lambda query: query[:12],
)
def test_links_are_hardly_longer_than_the_query_of_the_client(running: Running, query: str) -> None:
    name, _, value = query.partition("=")
    matching = value.replace("%2C", ",")
    for _ in range(2):
        tags = {name.removeprefix("tag."): matching.split(",")[:1]} if name.startswith("tag.") else {}
        document = flow() | {"tags": tags} | ({"label": matching} if name == "label" and len(matching) <= 2000 else {})
        assert running.client.put(f"/flows/{document['id']}", json=document).status_code == 201
    response = running.client.get(f"/flows?limit=1&{query}")
    assert response.status_code == 200
    if name in ("ignored", "page_"):
        check_headers(response)
        assert "next" in response.links
    if "next" in response.links:
        url = response.links["next"]["url"]
        assert len(url) <= max(2000, len(query)) + 400
        assert running.client.get(url).status_code == 200


def test_preflights_do_not_repeat_long_texts(running: Running) -> None:
    headers = {"Origin": "https://player.example", "Access-Control-Request-Method": "GET"}
    for requested in ("authorization, x-mine", "x" * 5000, "a" + ",b" * 2000, "a: b"):
        response = running.stranger().options("/flows", headers=headers | {"Access-Control-Request-Headers": requested})
        check_headers(response)
        allowed = response.headers["Access-Control-Allow-Headers"]
        assert allowed == requested or allowed == "*, Authorization, Content-Type, X-Request-Id"


def test_error_responses_have_short_headers(running: Running) -> None:
    long = "x" * 10_000
    for method, path in (
        ("GET", f"/{long}"),
        ("GET", f"/flows?limit={long}"),
        ("PUT", f"/objects/{long}"),
        (long[:20], "/"),
    ):
        response = running.client.request(method, path, headers={"X-Request-Id": long, "Content-Type": long})
        assert sum(len(name) + len(value) + 4 for name, value in response.headers.raw) < HEADERS_BYTES


@pytest.mark.parametrize(
    "path", ["/flows/", "/sources/?limit=5", "/service/", "/service/webhooks/", "/flows/{id}/", "/flows/{id}/tags/"]
)
def test_a_slash_at_the_end_of_a_path_is_ignored(running: Running, path: str) -> None:
    document = flow()
    assert running.client.put(f"/flows/{document['id']}/", json=document).status_code == 201
    path = path.replace("{id}", document["id"])
    plain = path.replace("/?", "?").rstrip("/")
    for method in ("GET", "HEAD", "OPTIONS"):
        slashed, expected = running.client.request(method, path), running.client.request(method, plain)
        assert (slashed.status_code, slashed.content) == (expected.status_code, expected.content)
        assert slashed.status_code < 300
        assert slashed.headers.get("Link") == expected.headers.get("Link")
    assert running.client.get(path.replace("/?", "//?") if "?" in path else path + "/").status_code == 404


@pytest.mark.parametrize("path", ["/flows?limit=1", "/service", "/flows/{id}", "/flows/{id}/tags", "/sources/"])
def test_further_slashes_at_the_beginning_of_a_path_are_ignored(running: Running, path: str) -> None:
    """Of clients that put a path after a base URL which ends with a slash."""
    documents = [flow(), flow()]
    for document in documents:
        url = f"{running.url}//flows/{document['id']}"
        assert running.client.put(url, json=document).status_code in (201, 204)
    path = path.replace("{id}", documents[0]["id"])
    for method in ("GET", "HEAD", "OPTIONS"):
        expected = running.client.request(method, path)
        for slashes in ("/", "//"):
            found = running.client.request(method, f"{running.url}{slashes}{path}")
            assert (found.status_code, found.content) == (expected.status_code, expected.content)
            assert found.headers.get("Link") == expected.headers.get("Link")
    assert running.stranger().get(f"{running.url}//flows").status_code == 401


def test_an_encoded_slash_at_the_end_belongs_to_the_name(running: Running) -> None:
    document = flow()
    path = f"/flows/{document['id']}"
    assert running.client.put(path, json=document).status_code == 201
    for name in ("a%2F", "a", "a%2f%2F"):
        assert running.client.put(f"{path}/tags/{name}", json=name).status_code == 204
    assert running.client.get(f"{path}/tags").json() | {} == {"a/": "a%2F", "a": "a", "a//": "a%2f%2F"}
    for name in ("a%2F", "a", "a%2f%2F"):
        for slash in ("", "/"):
            assert running.client.get(f"{path}/tags/{name}{slash}").json() == name
    object_id = f"{uuid.uuid4()}/"
    allocated = running.client.post(f"{path}/storage", json={"object_ids": [object_id]})
    assert allocated.status_code == 201
    segment = {"object_id": object_id, "timerange": "[0:0_1:0)"}
    assert running.client.post(f"{path}/segments", json=segment).status_code == 201
    assert running.client.get(f"/objects/{quote(object_id, safe='')}").json()["id"] == object_id
    assert running.client.get(f"/objects/{object_id}").status_code == 404


@pytest.mark.parametrize("path", ["/", "/service", "/flows", "/sources", "/flows/{id}", "/nothing", "/flows?limit=x"])
def test_responses_of_the_api_are_not_stored_by_caches(running: Running, path: str) -> None:
    document = flow()
    assert running.client.put(f"/flows/{document['id']}", json=document).status_code == 201
    for method in ("GET", "HEAD"):
        headers = running.client.request(method, path.replace("{id}", document["id"])).headers
        assert headers.get_list("Cache-Control") == ["no-cache" if "ETag" in headers else "no-store"]
