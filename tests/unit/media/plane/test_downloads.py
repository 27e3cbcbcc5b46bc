"""Downloads: ranges, conditions, and objects that change under way."""

import hashlib
import os
from email.utils import formatdate

import anyio
import httpx
import pytest
from starlette.types import Message

from storage.media.filesystem import FileStore
from tests.unit.media.plane.media_requests import (
    DATA,
    assert_error,
    plane,
    stored,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("given", "first", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-1023", 0, 1024),
        ("bytes=10-19", 10, 20),
        ("bytes=1000-", 1000, 1024),
        ("bytes=1000-99999999999999999999", 1000, 1024),
        ("bytes=-1", 1023, 1024),
        ("bytes=-5000", 0, 1024),
        ("Bytes = 5 - 6", 5, 7),
    ],
)
async def test_range(store: FileStore, client: httpx.AsyncClient, given: str, first: int, end: int) -> None:
    got = await client.get(stored(store), headers={"range": given})
    assert got.status_code == 206
    assert got.headers["content-range"] == f"bytes {first}-{end - 1}/1024"
    assert got.headers["content-length"] == str(end - first)
    assert got.content == DATA[first:end]


@pytest.mark.parametrize(
    "given", ["bytes=0-1,5-6", "lines=1-2", "bytes=9-3", "bytes=-", "bytes=a-b", "bytes", "bytes=1-2-3"]
)
async def test_invalid_and_multiple_ranges_are_ignored(store: FileStore, client: httpx.AsyncClient, given: str) -> None:
    got = await client.get(stored(store), headers={"range": given})
    assert (got.status_code, got.content) == (200, DATA)
    assert "content-range" not in got.headers


@pytest.mark.parametrize("given", ["bytes=1024-", "bytes=5000-6000", "bytes=-0", "bytes=99999999999999999999-"])
async def test_range_outside_the_object(store: FileStore, client: httpx.AsyncClient, given: str) -> None:
    response = await client.get(stored(store), headers={"range": given})
    assert_error(response, 416)
    assert response.headers["content-range"] == "bytes */1024"


async def test_range_of_an_empty_object(store: FileStore, client: httpx.AsyncClient) -> None:
    url = stored(store, b"")
    response = await client.get(url, headers={"range": "bytes=0-"})
    assert (response.status_code, response.headers["content-range"]) == (416, "bytes */0")
    assert (await client.get(url, headers={"range": "bytes=-5"})).status_code == 200


async def test_long_range(store: FileStore, client: httpx.AsyncClient) -> None:
    data = os.urandom(1_000_000)
    got = await client.get(stored(store, data), headers={"range": "bytes=100000-899999"})
    assert got.content == data[100_000:900_000]


async def test_head_ignores_range(store: FileStore, client: httpx.AsyncClient) -> None:
    got = await client.head(stored(store), headers={"range": "bytes=0-9"})
    assert (got.status_code, got.headers["content-length"]) == (200, "1024")


async def test_if_range(store: FileStore, client: httpx.AsyncClient) -> None:
    url = stored(store)
    head = await client.head(url)
    for condition, status in [
        (head.headers["etag"], 206),
        (head.headers["last-modified"], 206),
        ('"other"', 200),
        ("W/" + head.headers["etag"], 200),
        (formatdate(0, usegmt=True), 200),
    ]:
        got = await client.get(url, headers={"range": "bytes=0-9", "if-range": condition})
        assert got.status_code == status, condition


PAST, FUTURE = formatdate(0, usegmt=True), formatdate(4_000_000_000, usegmt=True)

ETAG = f'"{hashlib.md5(DATA).hexdigest()}"'


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"if-none-match": ETAG}, 304),
        ({"if-none-match": f'"x", W/{ETAG}'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"x"'}, 200),
        ({"if-none-match": '"x"', "if-modified-since": FUTURE}, 200),
        ({"if-modified-since": FUTURE}, 304),
        ({"if-modified-since": PAST}, 200),
        ({"if-modified-since": "yesterday"}, 200),
        ({"if-match": ETAG}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": f"W/{ETAG}"}, 412),
        ({"if-match": '"x"'}, 412),
        ({"if-match": ETAG, "if-unmodified-since": PAST}, 200),
        ({"if-unmodified-since": PAST}, 412),
        ({"if-unmodified-since": FUTURE}, 200),
        ({"if-match": '"x"', "if-none-match": ETAG}, 412),
        ({"if-none-match": ETAG, "range": "bytes=0-1"}, 304),
    ],
)
async def test_conditions(
    store: FileStore, client: httpx.AsyncClient, method: str, conditions: dict[str, str], status: int
) -> None:
    got = await client.request(method, stored(store), headers=conditions)
    assert got.status_code == status
    if status != 412:
        assert got.headers["etag"] == ETAG
    if status == 304:
        assert got.content == b""
        assert "content-length" not in got.headers


async def test_download_survives_deletion_and_replacement(store: FileStore) -> None:
    data = os.urandom(2_000_000)
    url = stored(store, data)
    received = bytearray()

    async def receive() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            store.write("object", "video/mp4", iter([b"other"]))
            store.delete("object")
        received.extend(message.get("body", b""))

    parsed = httpx.URL(url)
    scope = {"type": "http", "method": "GET", "path": parsed.path, "query_string": parsed.query, "headers": []}
    await plane(store)(scope, receive, send)
    assert received == data


async def test_download_stops_when_the_client_disconnects(store: FileStore) -> None:
    url = stored(store, bytes(50_000_000))
    gone = anyio.Event()
    sent = 0

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal sent
        sent += len(message.get("body", b""))
        if sent > 1_000_000:
            gone.set()

    parsed = httpx.URL(url)
    scope = {"type": "http", "method": "GET", "path": parsed.path, "query_string": parsed.query, "headers": []}
    await plane(store)(scope, receive, send)
    assert sent < 5_000_000


async def test_downloads_leave_no_file_open(store: FileStore, client: httpx.AsyncClient) -> None:
    url = stored(store, bytes(1_000_000))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        await client.get(url)
        await client.head(url)
        await client.get(url, headers={"range": "bytes=5-"})
        await client.get(url, headers={"range": "bytes=-0"})
        await client.get(url, headers={"if-none-match": "*"})
    assert len(os.listdir("/proc/self/fd")) <= before
