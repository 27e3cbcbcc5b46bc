"""F17: TAMS_VERIFY_UPLOADS: a segment is registered only if its bytes have arrived."""

import hashlib
import socket
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import Json, flow

MEDIA = b"some media" * 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of `running`."""
    return tmp_path_factory.mktemp("verified")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Running]:
    with serving(folder, verify_uploads=True) as running:
        yield running


def allocate(running: Running, count: int = 1) -> tuple[str, list[Json]]:
    """The path of a new flow, and objects allocated to it."""
    document = flow()
    path = f"/flows/{document['id']}"
    assert running.client.put(path, json=document).status_code == 201
    items: list[Json] = running.client.post(f"{path}/storage", json={"limit": count}).json()["media_objects"]
    return path, items


def put(item: Json, content: bytes = MEDIA, headers: dict[str, str] | None = None) -> httpx.Response:
    all_headers = {"Content-Type": item["put_url"]["content-type"], **(headers or {})}
    return httpx.put(item["put_url"]["url"], content=content, headers=all_headers)


def segment(item: Json, number: int = 0) -> Json:
    return {"object_id": item["object_id"], "timerange": f"[{number}:0_{number + 1}:0)"}


def break_off(item: Json) -> None:
    """Send half of an upload, and close the connection."""
    url = urlsplit(item["put_url"]["url"])
    head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: {len(MEDIA)}\r\n"
    head += f"Content-Type: {item['put_url']['content-type']}\r\n\r\n"
    with socket.create_connection((url.hostname, url.port)) as connection:
        connection.sendall(head.encode() + MEDIA[: len(MEDIA) // 2])


@pytest.mark.behaviour("SEG-POST-65")
def test_an_upload_that_broke_off_is_repeated_with_the_same_url(running: Running) -> None:
    path, [item] = allocate(running)
    break_off(item)
    response = running.client.post(f"{path}/segments", json=segment(item))
    assert response.status_code == 400
    assert f"object_id '{item['object_id']}' has no bytes on storage backend" in response.json()["detail"]
    assert running.client.get(f"{path}/segments").json() == []
    assert running.client.get(f"/objects/{item['object_id']}").status_code == 404
    assert put(item).status_code == 200
    assert running.client.post(f"{path}/segments", json=segment(item)).status_code == 201
    [listed] = running.client.get(f"{path}/segments?presigned=true").json()
    assert httpx.get(listed["get_urls"][0]["url"]).content == MEDIA


@pytest.mark.behaviour("SEG-POST-65", "SEG-POST-58")
def test_a_batch_registers_what_has_arrived_and_names_the_rest(running: Running) -> None:
    path, items = allocate(running, 4)
    for item in items[:3]:
        put(item)
    response = running.client.post(f"{path}/segments", json=[segment(item, n) for n, item in enumerate(items)])
    assert response.status_code == 200
    [failed] = response.json()["failed_segments"]
    assert failed["object_id"] == items[3]["object_id"]
    assert "has no bytes" in failed["error"]["summary"]
    assert len(running.client.get(f"{path}/segments").json()) == 3


@pytest.mark.behaviour("SEG-POST-65", "INT-02")
def test_an_upload_with_a_wrong_checksum_has_not_arrived(running: Running) -> None:
    path, [item] = allocate(running)
    digests = [f"sha-256=:{b64encode(hashlib.sha256(content).digest()).decode()}:" for content in (b"other", MEDIA)]
    assert put(item, headers={"Content-Digest": digests[0]}).status_code == 400
    assert running.client.post(f"{path}/segments", json=segment(item)).status_code == 400
    assert put(item, headers={"Content-Digest": digests[1]}).status_code == 200
    assert running.client.post(f"{path}/segments", json=segment(item)).status_code == 201


@pytest.mark.behaviour("SEG-POST-65")
def test_a_lost_folder_is_an_outage_and_not_a_missing_upload(running: Running, folder: Path) -> None:
    path, [item] = allocate(running)
    put(item)
    (folder / "media").rename(folder / "elsewhere")
    response = running.client.post(f"{path}/segments", json=segment(item))
    assert response.status_code == 503
    assert "Retry-After" in response.headers
    assert running.client.get(f"{path}/segments").json() == []
    (folder / "elsewhere").rename(folder / "media")
    assert running.client.post(f"{path}/segments", json=segment(item)).status_code == 201


def test_an_upload_in_parts_is_rejected(running: Running) -> None:
    """Half an object must not look like a whole one: RFC 9110, section 14.5."""
    path, [item] = allocate(running)
    half = len(MEDIA) // 2
    response = put(item, MEDIA[half:], {"Content-Range": f"bytes {half}-{len(MEDIA) - 1}/{len(MEDIA)}"})
    assert response.status_code == 400
    assert "send the whole object" in response.json()["detail"]
    assert running.client.post(f"{path}/segments", json=segment(item)).status_code == 400
