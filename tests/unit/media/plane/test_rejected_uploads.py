"""Uploads that are rejected, break off or compete: nothing incomplete is kept."""

import errno
import hashlib
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from storage.media.filesystem import FileStore
from tests.unit.media.plane.media_requests import (
    DATA,
    TYPE,
    assert_error,
    assert_nothing_kept,
    body,
    client_of,
    exchange,
    get_url,
    plane,
    put_url,
    read,
    stored,
)

pytestmark = pytest.mark.anyio


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
