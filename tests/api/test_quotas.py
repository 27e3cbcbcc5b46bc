"""Quotas of uploads, allocations and stored bytes, and the rates of media and pages, over the whole application."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from storage.catalog.caller import Caller
from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.polling import wait_until

MEDIA = b"m" * 1000
ANN = Caller("ann", frozenset({"admin"}))


@contextmanager
def limited(folder: Path, quotas: str = "", **settings: Any) -> Iterator[Running]:
    """Serve with these settings. quotas: the text of a quota file."""
    if quotas:
        (folder / "quotas.yaml").write_text(quotas)
        settings["quota_file"] = folder / "quotas.yaml"
    with serving(folder, **settings) as running:
        yield running


def new_flow(client: httpx.Client) -> str:
    document = flow()
    assert client.put(f"/flows/{document['id']}", json=document).status_code == 201
    return f"/flows/{document['id']}"


def allocate(client: httpx.Client, path: str, count: int = 1) -> list[Json]:
    response = client.post(f"{path}/storage", json={"limit": count})
    assert response.status_code == 201, response.text
    items: list[Json] = response.json()["media_objects"]
    return items


def put(item: Json, content: bytes = MEDIA) -> httpx.Response:
    put_url = item["put_url"]
    return httpx.put(put_url["url"], content=content, headers={"Content-Type": put_url["content-type"]})


def segment(item: Json, number: int = 0) -> Json:
    return {"object_id": item["object_id"], "timerange": f"[{number}:0_{number + 1}:0)"}


def check_error(response: httpx.Response, status: int, code: str) -> None:
    """Check an error as every other one: a problem document that browsers may read."""
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.json()["code"] == code
    if status == 429:
        assert int(response.headers["Retry-After"]) >= 1


def test_uploads_are_counted_for_the_principal_that_allocated(tmp_path: Path) -> None:
    quotas = "principals: {first-class: {uploads: 3}}"
    with limited(tmp_path, quotas, quota_uploads=2, quota_window=3600) as running:
        path = new_flow(running.client)
        items = allocate(running.client, path, 3)
        responses = [put(item) for item in items]
        assert [response.status_code for response in responses] == [200, 200, 429]
        assert responses[0].headers["RateLimit-Policy"] == '"uploads";q=2;w=3600'
        assert responses[0].headers["RateLimit"].startswith('"uploads";r=1;t=')
        check_error(responses[2], 429, "rate.exceeded")
        assert 1 <= int(responses[2].headers["Retry-After"]) <= 1800
        other = running.bearer(running.catalog.credentials.add_token("first-class", ["write"]))
        items = allocate(other, path, 4)
        assert [put(item).status_code for item in items] == [200, 200, 200, 429]


def test_bytes_of_uploads_are_counted_as_they_are_received(tmp_path: Path) -> None:
    with limited(tmp_path, quota_upload_bytes=2500, quota_window=3600) as running:
        items = allocate(running.client, new_flow(running.client), 5)
        first = put(items[0])
        assert first.headers["RateLimit-Policy"] == '"upload-bytes";q=2500;w=3600;qu="content-bytes"'
        assert first.headers["RateLimit"].startswith('"upload-bytes";r=1500;')
        break_off(items[1], announced=100_000, sent=100)
        wait_until(lambda: put(items[2]).status_code == 200, "the broken upload to be forgotten", timeout_s=10)
        # 400 bytes are left: the next upload may begin, and what it has beyond that is owed.
        assert put(items[3]).status_code == 200
        check_error(put(items[4]), 429, "rate.exceeded")


def break_off(item: Json, *, announced: int, sent: int) -> None:
    """Send a part of an upload, and close the connection."""
    url = urlsplit(item["put_url"]["url"])
    head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: {announced}\r\n"
    head += f"Content-Type: {item['put_url']['content-type']}\r\n\r\n"
    with socket.create_connection((url.hostname, url.port)) as connection:
        connection.sendall(head.encode() + b"m" * sent)


def test_allocations_are_counted_by_object(tmp_path: Path) -> None:
    with limited(tmp_path, quota_allocations=5, quota_window=600) as running:
        path = new_flow(running.client)
        allocate(running.client, path, 3)
        rejected = running.client.post(f"{path}/storage", json={"object_ids": ["same", "same"]})
        assert rejected.status_code == 400
        assert allocate(running.client, path, 2)
        response = running.client.post(f"{path}/storage", json={"limit": 1})
        check_error(response, 429, "rate.exceeded")
        assert response.headers["RateLimit-Policy"] == '"allocations";q=5;w=600'
        assert running.client.get(path).status_code == 200


def test_objects_of_a_batch_are_counted_unless_they_are_elsewhere(tmp_path: Path) -> None:
    """F6: by the quotas of allocations and of stored bytes."""
    url = {"url": "https://archive.example/1.ts", "label": "archive"}
    with limited(tmp_path, quota_allocations=5, quota_window=600, quota_stored_bytes=1000) as running:
        path = new_flow(running.client)
        flow_id = path.rpartition("/")[2]
        items: list[Json] = [{"flow_id": flow_id}] * 2 + [{"flow_id": flow_id, "get_urls": [url]}] * 4
        objects = running.client.post("/objects/batch", json=items).json()
        assert put(objects[0]).status_code == 200
        assert running.client.post(f"{path}/segments", json=segment(objects[0])).status_code == 201
        for _ in range(3):  # what fails does not count: the third request would exceed the quota of allocations
            response = running.client.post("/objects/batch", json=items)
            assert response.status_code == 200
            failed = {each["index"]: each["error"]["type"] for each in response.json()["failed_objects"]}
            assert failed == {0: "quota_exceeded", 1: "quota_exceeded"}
            assert len(response.json()["objects"]) == 4


def test_stored_bytes_are_limited_until_objects_are_removed(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"quota_stored_bytes": 2500, "object_grace": 0, "verify_uploads": True}
    with limited(tmp_path, **settings) as running:
        path = new_flow(running.client)
        items = allocate(running.client, path, 4)
        assert [put(item).status_code for item in items[:2]] == [200, 200]
        response = put(items[2])
        check_error(response, 403, "quota.stored_bytes")
        assert "Retry-After" not in response.headers
        assert put(items[2], MEDIA[:500]).status_code == 200
        check_error(running.client.post(f"{path}/storage", json={}), 403, "quota.stored_bytes")
        for number, item in enumerate(items[:2]):
            assert running.client.post(f"{path}/segments", json=segment(item, number)).status_code == 201
    with limited(tmp_path, **settings) as running:  # after a restart
        check_error(put_again(running, items[3]), 403, "quota.stored_bytes")
        assert running.client.delete(f"{path}/segments").status_code == 204
        assert running.catalog.remove_expired()
        assert allocate(running.client, path, 1)
        assert put_again(running, items[3]).status_code == 200


def put_again(running: Running, item: Json) -> httpx.Response:
    """Upload to the URL of an earlier run, whose port was another."""
    url = urlsplit(item["put_url"]["url"])
    headers = {"Content-Type": item["put_url"]["content-type"]}
    return httpx.put(f"{running.url}{url.path}?{url.query}", content=MEDIA, headers=headers)


def test_a_stream_of_unknown_length_ends_at_the_quota_of_stored_bytes(tmp_path: Path) -> None:
    with limited(tmp_path, quota_stored_bytes=100_000) as running:
        [item] = allocate(running.client, new_flow(running.client))
        put_url = item["put_url"]
        pieces = (MEDIA * 100 for _ in range(3))
        response = httpx.put(put_url["url"], content=pieces, headers={"Content-Type": put_url["content-type"]})
        check_error(response, 403, "quota.stored_bytes")


def until_rejected(send: Callable[[], httpx.Response]) -> httpx.Response:
    """Send requests, faster than one a second, until one is rejected for that."""
    return next(response for response in (send() for _ in range(50)) if response.status_code == 429)


def test_uploads_by_url_count_towards_the_rate_of_the_principal(tmp_path: Path) -> None:
    with limited(tmp_path, rate_limit=1) as running:
        document = flow()
        running.catalog.flows.put(ANN, document["id"], document)
        [item] = running.catalog.allocation.allocate(ANN, document["id"], {"limit": 1}, running.url)["media_objects"]
        rejected = until_rejected(lambda: put(item))
        check_error(rejected, 429, "rate.exceeded")
        assert rejected.headers["RateLimit-Policy"] == '"caller";q=1;w=1'


def test_media_with_a_credential_count_towards_the_rate_of_the_caller(tmp_path: Path) -> None:
    with limited(tmp_path, rate_limit=1) as running:
        backend = next(iter(running.catalog.object_uploads._env.stores))
        rejected = until_rejected(lambda: running.client.get(f"/media/{backend}/x"))
        assert rejected.headers["RateLimit"] == '"caller";r=0;t=1'


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/metrics", "/media/x/y", "/flows"])
def test_every_page_counts_towards_the_rate_of_the_address(tmp_path: Path, path: str) -> None:
    with limited(tmp_path, rate_limit_per_address=1) as running, running.stranger() as client:
        rejected = until_rejected(lambda: client.get(path))
        check_error(rejected, 429, "rate.exceeded")
        assert rejected.headers["RateLimit"] == '"address";r=0;t=1'


def test_health_is_reported_however_often_it_is_asked_for(tmp_path: Path) -> None:
    with limited(tmp_path, rate_limit_per_address=1) as running, running.stranger() as client:
        assert {client.get(path).status_code for path in ["/healthz", "/readyz"] * 5} == {200}


def test_browsers_may_ask_before_a_request_that_is_rejected(tmp_path: Path) -> None:
    with limited(tmp_path, rate_limit_per_address=1) as running, running.stranger() as client:
        headers = {"Origin": "https://player.example", "Access-Control-Request-Method": "GET"}
        responses = [client.options("/media/x/y", headers=headers) for _ in range(5)]
        assert {response.status_code for response in responses} == {204}


def test_without_quotas_nothing_is_counted_or_told(tmp_path: Path) -> None:
    with limited(tmp_path) as running:
        items = allocate(running.client, new_flow(running.client), 20)
        responses = [put(item) for item in items]
        assert {response.status_code for response in responses} == {200}
        assert not any("RateLimit" in response.headers for response in responses)
        with running.catalog.object_uploads._env.engine.read() as tx:
            assert tx.select("usage") == []
