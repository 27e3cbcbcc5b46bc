"""The media plane, in process, over files."""

import base64
import errno
import hashlib
import os
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.types import ASGIApp, Message, Scope

from storage.catalog.caller import Caller
from storage.media.filesystem import FileStore
from storage.media.object_store import Backend
from tams_server.errors import Unauthorized
from tams_server.media.media_plane import media_plane

pytestmark = pytest.mark.anyio

BACKEND = Backend("3f6d2a5e-8f0b-4a54-9d4e-0c5a8f0d9b11", "disc", "example", "files")
BASE = "http://media.example"
TYPE = "video/mp2t"
DATA = bytes(range(256)) * 4
SCOPES = {"reader": "read", "writer": "write", "deleter": "delete", "chief": "admin"}
KNOWN = {"known/object": "video/mp4"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return open_store(tmp_path)


def open_store(root: Path, timeout_s: int = 300) -> FileStore:
    return FileStore(root, BACKEND, b"0123456789abcdef", upload_timeout_s=timeout_s, download_timeout_s=timeout_s)


def authenticate(scope: Scope) -> Caller:
    """Accept the name of a known caller as bearer token."""
    name = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
    if name not in SCOPES:
        raise Unauthorized("no valid credential", headers={"WWW-Authenticate": "Bearer"})
    return Caller(name, frozenset({SCOPES[name]}))


def plane(store: FileStore, **options: Any) -> ASGIApp:
    return media_plane({BACKEND.id: store}, authenticate, KNOWN.get, **options)


@pytest.fixture
async def client(store: FileStore) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(plane(store)) as client:
        yield client


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)


def put_url(store: FileStore, object_id: str = "object", content_type: str = TYPE) -> str:
    return store.upload_request(object_id, content_type, presigned=True, base_url=BASE).url


def get_url(store: FileStore, object_id: str = "object") -> str:
    return store.download_urls(object_id, presigned=True, base_url=BASE)[0].url


def plain_url(store: FileStore, object_id: str = "object") -> str:
    return store.download_urls(object_id, presigned=False, base_url=BASE)[0].url


def stored(store: FileStore, data: bytes = DATA, object_id: str = "object", content_type: str = TYPE) -> str:
    """Store an object and return a URL that reads it."""
    store.write(object_id, content_type, iter([data]))
    return get_url(store, object_id)


def read(store: FileStore, object_id: str = "object") -> bytes:
    with store.open(object_id) as file:
        return file.read()


def assert_nothing_kept(store: FileStore, root: Path, object_id: str = "object") -> None:
    assert store.stat(object_id) is None
    assert list((root / "incoming").iterdir()) == []


def assert_error(response: httpx.Response, status: int) -> str:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["access-control-allow-origin"] == "*"
    problem = response.json()
    assert problem["status"] == status
    return str(problem["detail"])


def bearer(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {name}"}


async def exchange(app: ASGIApp, method: str, url: str, received: Iterable[Message], **headers: str) -> list[Message]:
    """Run the application on ASGI messages and return what it sent. After `received`, it waits for ever."""
    parsed = httpx.URL(url)
    messages = iter(received)
    sent: list[Message] = []

    async def receive() -> Message:
        for message in messages:
            return message
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    path = parsed.raw_path.partition(b"?")[0]
    scope = {
        "type": "http",
        "method": method,
        "path": parsed.path,
        "raw_path": path,
        "query_string": parsed.query,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, send)
    return sent


def body(data: bytes, more: bool = True) -> Message:
    return {"type": "http.request", "body": data, "more_body": more}


# Round trips


@pytest.mark.parametrize(
    "object_id", ["plain", "bucket/key.ts", "100% of/../it", "..", "naïve ☃ 🎞", "a+b c?d#e", "x" * 3000]
)
async def test_uploaded_bytes_come_back_for_every_id(
    store: FileStore, client: httpx.AsyncClient, object_id: str
) -> None:
    upload = store.upload_request(object_id, TYPE, presigned=True, base_url=BASE)
    response = await client.put(
        upload.url, content=DATA, headers={"content-type": upload.content_type, **upload.headers}
    )
    etag = f'"{hashlib.md5(DATA).hexdigest()}"'
    assert (response.status_code, response.content, response.headers["etag"]) == (200, b"", etag)
    for method in ("GET", "HEAD"):
        got = await client.request(method, get_url(store, object_id))
        assert got.status_code == 200
        assert got.content == (DATA if method == "GET" else b"")
        assert got.headers["content-type"] == TYPE
        assert got.headers["content-length"] == str(len(DATA))
        assert got.headers["etag"] == etag
        assert got.headers["accept-ranges"] == "bytes"
        assert got.headers["cache-control"] == "private"
        assert got.headers["last-modified"].endswith("GMT")
        assert got.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 20_000_000])
async def test_sizes_from_nothing_to_large(store: FileStore, client: httpx.AsyncClient, size: int) -> None:
    data = os.urandom(size)
    assert (await client.put(put_url(store), content=data, headers={"content-type": TYPE})).status_code == 200
    got = await client.get(get_url(store))
    assert got.headers["content-length"] == str(size)
    assert got.content == data


async def test_chunked_upload(store: FileStore, client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 30_000

    assert (await client.put(put_url(store), content=chunks(), headers={"content-type": TYPE})).status_code == 200
    assert read(store) == b"x" * 3_000_000


async def test_decoded_slashes_in_the_path_reach_the_same_object(store: FileStore, client: httpx.AsyncClient) -> None:
    url = stored(store, object_id="folder/key")
    assert (await client.get(url.replace("%2F", "/"))).content == DATA


async def test_replacing_upload(store: FileStore, client: httpx.AsyncClient) -> None:
    stored(store, b"old")
    assert (await client.put(put_url(store), content=DATA, headers={"content-type": TYPE})).status_code == 200
    assert read(store) == DATA


# Who may


async def test_no_credentials(store: FileStore, client: httpx.AsyncClient) -> None:
    stored(store)
    for method in ("GET", "HEAD", "PUT"):
        response = await client.request(method, plain_url(store), headers={"content-type": TYPE})
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("name", "status"), [("reader", 200), ("chief", 200), ("writer", 403), ("deleter", 403)])
async def test_reading_a_plain_url_needs_scope_read(
    store: FileStore, client: httpx.AsyncClient, name: str, status: int
) -> None:
    stored(store)
    assert (await client.get(plain_url(store), headers=bearer(name))).status_code == status


@pytest.mark.parametrize(("name", "status"), [("writer", 200), ("chief", 200), ("reader", 403), ("deleter", 403)])
async def test_writing_a_plain_url_needs_scope_write(
    store: FileStore, client: httpx.AsyncClient, name: str, status: int
) -> None:
    url = plain_url(store, "known/object")
    response = await client.put(url, content=DATA, headers={"content-type": "video/mp4", **bearer(name)})
    assert response.status_code == status
    assert (store.stat("known/object") is not None) == (status == 200)


async def test_plain_upload_of_an_object_that_was_never_allocated(
    store: FileStore, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    response = await client.put(plain_url(store), content=DATA, headers={"content-type": TYPE, **bearer("writer")})
    assert "'object'" in assert_error(response, 404)
    assert_nothing_kept(store, tmp_path)


async def test_plain_upload_takes_the_content_type_of_the_catalogue(
    store: FileStore, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    url = plain_url(store, "known/object")
    response = await client.put(url, content=DATA, headers={"content-type": TYPE, **bearer("writer")})
    assert "video/mp4" in assert_error(response, 400)
    assert_nothing_kept(store, tmp_path, "known/object")


async def test_presigned_url_needs_no_credentials_and_ignores_wrong_ones(
    store: FileStore, client: httpx.AsyncClient
) -> None:
    url = stored(store)
    assert (await client.get(url, headers={"authorization": "Basic nonsense"})).status_code == 200


async def test_expired_url(tmp_path: Path) -> None:
    store = open_store(tmp_path, timeout_s=-1000)
    url = stored(store)
    async with client_of(plane(store)) as client:
        assert "expired" in assert_error(await client.get(url), 403)
        response = await client.put(put_url(store), content=b"new", headers={"content-type": TYPE})
        assert "expired" in assert_error(response, 403)
    assert read(store) == DATA


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sig=", "sig=A"),
        ("exp=", "exp=9"),
        ("exp=", "e="),
        ("ct=video", "ct=audio"),
        ("sig=", "sig=%ff%00"),
        ("object", "0bject"),
    ],
)
async def test_changed_presigned_url(
    store: FileStore, client: httpx.AsyncClient, tmp_path: Path, old: str, new: str
) -> None:
    url = put_url(store).replace(old, new, 1)
    for content_type in ("video/mp2t", "audio/mp2t"):
        assert_error(await client.put(url, content=DATA, headers={"content-type": content_type}), 403)
    assert_nothing_kept(store, tmp_path)


async def test_signature_is_for_one_method(store: FileStore, client: httpx.AsyncClient) -> None:
    stored(store)
    assert_error(await client.get(put_url(store)), 403)
    assert_error(await client.put(get_url(store), content=b"x", headers={"content-type": TYPE}), 403)
    assert read(store) == DATA


# Refused uploads


@pytest.mark.parametrize("given", ["VIDEO/MP2T", "video/mp2t; charset=binary", " video/mp2t ;x=y"])
async def test_content_type_is_compared_without_case_and_parameters(
    store: FileStore, client: httpx.AsyncClient, given: str
) -> None:
    assert (await client.put(put_url(store), content=DATA, headers={"content-type": given})).status_code == 200
    assert (await client.head(get_url(store))).headers["content-type"] == TYPE


async def test_wrong_content_type(store: FileStore, client: httpx.AsyncClient, tmp_path: Path) -> None:
    response = await client.put(put_url(store), content=DATA, headers={"content-type": "video/mp4"})
    detail = assert_error(response, 400)
    assert "'video/mp4'" in detail and f"'{TYPE}'" in detail
    assert f"'{TYPE}'" in assert_error(await client.put(put_url(store), content=DATA), 400)
    assert_nothing_kept(store, tmp_path)


async def test_size_limit(store: FileStore, tmp_path: Path) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 100

    async with client_of(plane(store, max_upload_bytes=1000)) as client:
        exact: dict[str, Any] = {"headers": {"content-type": TYPE}}
        assert_error(await client.put(put_url(store), content=b"x" * 1001, **exact), 413)
        assert_error(await client.put(put_url(store), content=chunks(), **exact), 413)
        assert_nothing_kept(store, tmp_path)
        assert (await client.put(put_url(store), content=b"x" * 1000, **exact)).status_code == 200


def checksum(name: str, data: bytes) -> str:
    digests: dict[str, Callable[[bytes], bytes]] = {
        "content-md5": lambda data: hashlib.md5(data).digest(),
        "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
        "x-amz-checksum-sha1": lambda data: hashlib.sha1(data).digest(),
        "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    }
    return base64.b64encode(digests[name](data)).decode()


CHECKSUMS = ["content-md5", "x-amz-checksum-sha256", "x-amz-checksum-sha1", "x-amz-checksum-crc32"]


@pytest.mark.parametrize("name", CHECKSUMS)
async def test_checksums_are_verified(store: FileStore, client: httpx.AsyncClient, tmp_path: Path, name: str) -> None:
    data = os.urandom(2_500_000)
    headers = {"content-type": TYPE}
    for wrong in (checksum(name, data[1:]), "nonsense!", ""):
        response = await client.put(put_url(store), content=data, headers={name: wrong, **headers})
        assert name in assert_error(response, 400)
        assert_nothing_kept(store, tmp_path)
    response = await client.put(put_url(store), content=data, headers={name: checksum(name, data), **headers})
    assert response.status_code == 200
    assert read(store) == data


async def test_other_checksums_are_ignored(store: FileStore, client: httpx.AsyncClient) -> None:
    headers = {"content-type": TYPE, "x-amz-checksum-crc64nvme": "abc", "x-amz-checksum-algorithm": "CRC64NVME"}
    assert (await client.put(put_url(store), content=DATA, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("header", "value", "status"), [("content-encoding", "gzip", 415), ("content-range", "bytes 0-9/100", 400)]
)
async def test_partial_and_encoded_uploads_are_rejected(
    store: FileStore, client: httpx.AsyncClient, tmp_path: Path, header: str, value: str, status: int
) -> None:
    response = await client.put(put_url(store), content=DATA, headers={"content-type": TYPE, header: value})
    assert_error(response, status)
    assert_nothing_kept(store, tmp_path)


@pytest.mark.parametrize("length", ["3", "5", "-1", "x", "9" * 5000])
async def test_wrong_content_length_is_rejected(store: FileStore, tmp_path: Path, length: str) -> None:
    sent = await exchange(
        plane(store), "PUT", put_url(store), [body(b"four", more=False)], content_type=TYPE, content_length=length
    )
    assert sent[0]["status"] == 400
    assert_nothing_kept(store, tmp_path)


@pytest.mark.parametrize("pieces", [0, 1, 30])
async def test_disconnect_in_mid_upload_leaves_nothing(store: FileStore, tmp_path: Path, pieces: int) -> None:
    received = [*[body(b"x" * 100_000)] * pieces, {"type": "http.disconnect"}]
    assert await exchange(plane(store), "PUT", put_url(store), received, content_type=TYPE) == []
    assert_nothing_kept(store, tmp_path)


async def test_cancelled_upload_leaves_nothing(store: FileStore, tmp_path: Path) -> None:
    with anyio.move_on_after(0.1) as scope:
        await exchange(plane(store), "PUT", put_url(store), [body(b"x" * 2_000_000)], content_type=TYPE)
    assert scope.cancelled_caught
    assert_nothing_kept(store, tmp_path)


async def test_stalled_upload_is_rejected(store: FileStore, tmp_path: Path) -> None:
    app = plane(store, stall_timeout_s=0.05)
    sent = await exchange(app, "PUT", put_url(store), [body(b"x")], content_type=TYPE)
    assert sent[0]["status"] == 408
    assert_nothing_kept(store, tmp_path)


async def test_full_disk_is_503_and_keeps_the_old_object(
    store: FileStore, client: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = stored(store, b"old")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("storage.media.object_file.os.write", full)
        response = await client.put(put_url(store), content=DATA, headers={"content-type": TYPE})
    assert "No space left" in assert_error(response, 503)
    assert int(response.headers["retry-after"]) > 0
    assert (await client.get(url)).content == b"old"
    assert list((tmp_path / "incoming").iterdir()) == []


async def test_concurrent_uploads_of_one_id_end_in_one_whole_object(
    store: FileStore, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    bodies = [bytes([number]) * 1_500_000 for number in range(8)]

    async def upload(data: bytes) -> None:
        assert (await client.put(put_url(store), content=data, headers={"content-type": TYPE})).status_code == 200

    async with anyio.create_task_group() as tasks:
        for data in bodies:
            tasks.start_soon(upload, data)
    assert read(store) in bodies
    assert list((tmp_path / "incoming").iterdir()) == []


async def test_upload_on_condition(store: FileStore, client: httpx.AsyncClient) -> None:
    async def put(data: bytes, **conditions: str) -> int:
        headers = {"content-type": TYPE} | {name.replace("_", "-"): value for name, value in conditions.items()}
        return (await client.put(put_url(store), content=data, headers=headers)).status_code

    assert await put(b"none", if_match="*") == 412
    assert await put(b"first", if_none_match="*") == 200
    assert await put(b"second", if_none_match="*") == 412
    assert await put(b"third", if_match='"wrong"') == 412
    assert await put(b"fourth", if_unmodified_since=formatdate(0, usegmt=True)) == 412
    assert read(store) == b"first"
    assert await put(b"fifth", if_match=f'"{hashlib.md5(b"first").hexdigest()}"') == 200
    assert read(store) == b"fifth"


# Ranges and conditions


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


# Downloads under way


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


# Other requests


async def test_object_without_bytes(store: FileStore, client: httpx.AsyncClient) -> None:
    for method in ("GET", "HEAD"):
        assert (await client.request(method, get_url(store, "nothing"))).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/media", "/media/", "/media/x", f"/media/{BACKEND.id}", f"/media/{BACKEND.id}/", "/media/other-backend/object"],
)
async def test_a_path_that_is_not_that_of_an_object_is_rejected(client: httpx.AsyncClient, path: str) -> None:
    assert_error(await client.get(path, headers=bearer("chief")), 404)


@pytest.mark.parametrize("segment", [b"%", b"%4", b"%zz", b"%ff", b"%ed%a0"])
async def test_malformed_percent_encoding(store: FileStore, segment: bytes) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    raw = b"/media/" + BACKEND.id.encode() + b"/" + segment
    scope = {"type": "http", "method": "GET", "path": "/media/?", "raw_path": raw, "query_string": b"", "headers": []}
    await plane(store)(scope, receive, send)
    assert sent[0]["status"] == 404


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "TRACE", "BREW"])
async def test_other_methods(store: FileStore, client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, get_url(store))
    assert_error(response, 405)
    assert response.headers["allow"] == "GET, HEAD, PUT, OPTIONS"


async def test_preflight_needs_no_credentials(store: FileStore, client: httpx.AsyncClient) -> None:
    requested = {
        "origin": "https://player.example",
        "access-control-request-method": "PUT",
        "access-control-request-headers": "authorization, content-type, x-amz-checksum-sha256",
    }
    response = await client.options(plain_url(store), headers=requested)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == "GET, HEAD, PUT, OPTIONS"
    assert response.headers["access-control-allow-headers"] == requested["access-control-request-headers"]
    assert int(response.headers["access-control-max-age"]) > 0


async def test_pages_of_other_origins_can_read_the_headers(store: FileStore, client: httpx.AsyncClient) -> None:
    exposed = (await client.get(stored(store))).headers["access-control-expose-headers"]
    assert set(exposed.split(", ")) >= {"ETag", "Content-Length", "Content-Range", "Accept-Ranges", "Last-Modified"}


async def test_uploaded_pages_cannot_act_for_this_origin(store: FileStore, client: httpx.AsyncClient) -> None:
    got = await client.get(stored(store, b"<script>", content_type="text/html"))
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"] == "sandbox"


async def test_unexpected_error_of_the_catalogue_is_a_problem_document(store: FileStore) -> None:
    def broken(_: str) -> str | None:
        raise RuntimeError("secret detail")

    async with client_of(media_plane({BACKEND.id: store}, authenticate, broken)) as client:
        response = await client.put(plain_url(store), content=DATA, headers={"content-type": TYPE, **bearer("writer")})
    assert "secret" not in assert_error(response, 500)
