"""Uploads and downloads that succeed: sizes, ids, and chunked and replacing uploads."""

import hashlib
import os
from collections.abc import AsyncIterator

import httpx
import pytest

from storage.media.filesystem import FileStore
from storage.media.object_store import AllocationTerm
from tests.unit.media.plane.media_requests import (
    BASE,
    DATA,
    TYPE,
    get_url,
    put_url,
    read,
    stored,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "object_id", ["plain", "bucket/key.ts", "100% of/../it", "..", "naïve ☃ 🎞", "a+b c?d#e", "x" * 3000]
)
async def test_uploaded_bytes_come_back_for_every_id(
    store: FileStore, client: httpx.AsyncClient, object_id: str
) -> None:
    upload = store.upload_requests([object_id], TYPE, presigned=True, base_url=BASE, term=AllocationTerm(0, 300))[0]
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
