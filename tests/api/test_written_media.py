"""Uploads to the embedded store: bytes that a segment uses never change, and uploads to objects that are gone fail."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage.catalog import Limits
from storage.catalog.job_room import Room
from storage.media.object_store import AllocationTerm
from storage.tables.conditions import equals
from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import Json, flow, init_flow
from tests.conformance.kit.polling import wait_until

EXPIRED = {"expires": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of `server`."""
    return tmp_path_factory.mktemp("written")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Running]:
    with serving(folder, object_grace=0) as running:
        yield running


def allocate(server: Running, count: int = 1, document: Json | None = None, **members: Any) -> tuple[str, list[Json]]:
    """Return the id of a new flow, and `count` objects allocated for it."""
    document = document or flow()
    assert server.client.put(f"/flows/{document['id']}", json=document).status_code == 201
    body = members or {"limit": count}
    response = server.client.post(f"/flows/{document['id']}/storage", json=body)
    assert response.status_code == 201, response.text
    return document["id"], response.json()["media_objects"]


def put(item: Json, content: Any, **headers: str) -> httpx.Response:
    put_url = item["put_url"]
    named = {"Content-Type": put_url["content-type"], **put_url.get("headers", {}), **headers}
    return httpx.put(put_url["url"], content=content, headers=named, timeout=30)


def register(server: Running, flow_id: str, item: Json, **members: Any) -> None:
    segment = {"object_id": item["object_id"], "timerange": "[0:0_1:0)", **members}
    response = server.client.post(f"/flows/{flow_id}/segments", json=segment)
    assert response.status_code == 201, response.text


def read(server: Running, object_id: str) -> bytes:
    url = server.client.get(f"/objects/{object_id}").json()["get_urls"][0]["url"]
    return httpx.get(url).content


def assert_in_use(response: httpx.Response) -> None:
    assert response.status_code == 409, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "already exist" in response.json()["detail"]


def slow_upload(item: Json, content: bytes) -> tuple[threading.Event, threading.Thread, list[httpx.Response]]:
    """Begin an upload that ends once the event is set."""
    go, responses, begun = threading.Event(), [], threading.Event()

    def pieces() -> Iterator[bytes]:
        yield content[:1]
        begun.set()
        go.wait(20)
        yield content[1:]

    thread = threading.Thread(target=lambda: responses.append(put(item, pieces())))
    thread.start()
    assert begun.wait(20)
    return go, thread, responses


@pytest.mark.behaviour("OBJ-LIFE-08")
@pytest.mark.parametrize("presigned", [True, False])
def test_the_bytes_of_a_registered_object_cannot_be_replaced(server: Running, presigned: bool) -> None:
    flow_id, [item] = allocate(server)
    for content in (b"broken", b"first"):
        assert put(item, content).status_code == 200
    register(server, flow_id, item)
    if presigned:
        assert_in_use(put(item, b"second"))
        assert_in_use(put(item, b"second", **{"If-None-Match": "*"}))
    else:
        url = item["put_url"]["url"].partition("?")[0]
        type_ = {"Content-Type": item["put_url"]["content-type"]}
        assert_in_use(server.client.put(url, content=b"second", headers=type_))
    assert read(server, item["object_id"]) == b"first"


@pytest.mark.behaviour("OBJ-LIFE-08")
def test_the_bytes_of_an_init_object_cannot_be_replaced(server: Running) -> None:
    flow_id, [init, media] = allocate(server, 2, init_flow())
    assert put(init, b"init").status_code == put(media, b"media").status_code == 200
    register(server, flow_id, media, init_object_id=init["object_id"])
    for item in (init, media):
        assert_in_use(put(item, b"other"))


@pytest.mark.behaviour("OBJ-LIFE-08")
def test_bytes_cannot_be_replaced_once_a_segment_with_urls_of_its_own_uses_them(server: Running) -> None:
    flow_id, [item] = allocate(server)
    assert put(item, b"first").status_code == 200
    register(server, flow_id, item, get_urls=[{"url": "https://media.example.com/1", "label": "L"}])
    assert_in_use(put(item, b"second"))


@pytest.mark.behaviour("OBJ-LIFE-08")
def test_an_upload_during_which_its_object_is_registered_replaces_nothing(server: Running) -> None:
    flow_id, [item] = allocate(server)
    assert put(item, b"first").status_code == 200
    go, thread, responses = slow_upload(item, b"second")
    register(server, flow_id, item)
    go.set()
    thread.join()
    assert_in_use(responses[0])
    assert read(server, item["object_id"]) == b"first"


@pytest.mark.behaviour("OBJ-LIFE-08")
def test_an_object_registered_before_its_first_upload_can_still_be_uploaded_once(server: Running) -> None:
    flow_id, [item] = allocate(server)
    go, thread, responses = slow_upload(item, b"first")
    register(server, flow_id, item)
    go.set()
    thread.join()
    assert responses[0].status_code == 200
    assert_in_use(put(item, b"second"))
    assert read(server, item["object_id"]) == b"first"


@pytest.mark.behaviour("TMO-02", "STO-31")
@pytest.mark.parametrize("earlier", [None, b"earlier"])
def test_an_upload_that_ends_after_its_object_has_expired_leaves_nothing(
    server: Running, folder: Path, earlier: bytes | None
) -> None:
    _, [item] = allocate(server)
    if earlier is not None:
        assert put(item, earlier).status_code == 200
    go, thread, responses = slow_upload(item, b"late")
    expire(server, item["object_id"])
    assert server.catalog.remove_expired()
    go.set()
    thread.join()
    assert responses[0].status_code == 404
    wait_until(lambda: not list((folder / "media" / "incoming").iterdir()), "the removal of the upload", timeout_s=10)
    stored = [path.read_bytes() for path in (folder / "media" / "objects").rglob("*") if path.is_file()]
    assert not any(b"late" in content for content in stored)


@pytest.mark.behaviour("STO-31", "OBJ-LIFE-08")
def test_a_url_does_not_write_into_a_later_object_with_the_same_id(server: Running) -> None:
    _, [first] = allocate(server, object_ids=["reused"])
    assert put(first, b"first").status_code == 200
    expire(server, "reused")
    assert server.catalog.remove_expired()
    assert put(first, b"again").status_code == 404
    for claim in server.catalog.claim_jobs("test", *pending_removals(server)):
        server.catalog.byte_removal.remove_batch(claim)
    _, [second] = allocate(server, object_ids=["reused"])
    assert put(first, b"again").status_code == 403
    assert put(second, b"second").status_code == 200


@pytest.mark.behaviour("TMO-01", "TMO-04")
def test_an_upload_url_expires_no_later_than_its_object(server: Running) -> None:
    _, [item] = allocate(server)
    with server.catalog._engine.read() as tx:
        [row] = tx.select("objects", equals(id=item["object_id"]))
    assert row["expires"] is not None
    query = httpx.URL(item["put_url"]["url"]).params
    limits = Limits(object_grace_s=0)
    assert limits.min_presigned_url_timeout_s <= int(query["exp"]) - row["created"] / 1e6
    assert int(query["exp"]) <= row["expires"] / 1e6


def test_a_term_shortens_an_upload_url(server: Running) -> None:
    (store,) = server.catalog._stores.values()
    url = store.upload_requests(["a"], "video/mp4", presigned=True, base_url="", term=AllocationTerm(7, -5.0))[0].url
    response = server.client.put(url, content=b"x", headers={"Content-Type": "video/mp4"})
    assert response.status_code == 403
    assert "expired" in response.json()["detail"]


def expire(server: Running, object_id: str) -> None:
    with server.catalog._engine.write() as tx:
        assert tx.update("objects", equals(id=object_id), EXPIRED) == 1


def pending_removals(server: Running) -> tuple[Any, Any]:
    _, waiting = server.catalog.pending_work(10)
    return waiting, Room(deliveries=0, failing_deliveries=0, others=4)
