"""Checksums of uploads: verified, recorded, or ignored."""

import base64
import hashlib
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from storage.media.filesystem import FileStore
from tests.unit.media.plane.media_requests import (
    DATA,
    TYPE,
    assert_error,
    assert_nothing_kept,
    put_url,
    read,
)

pytestmark = pytest.mark.anyio


def checksum(name: str, data: bytes) -> str:
    digests: dict[str, Callable[[bytes], bytes]] = {
        "content-md5": lambda data: hashlib.md5(data).digest(),
        "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
        "x-amz-checksum-sha1": lambda data: hashlib.sha1(data).digest(),
        "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
        "content-digest": lambda data: hashlib.sha256(data).digest(),
        "repr-digest": lambda data: hashlib.sha512(data).digest(),
    }
    value = base64.b64encode(digests[name](data)).decode()
    algorithm = {"content-digest": "sha-256", "repr-digest": "unknown=:abc=:, sha-512"}.get(name)
    return f"{algorithm}=:{value}:" if algorithm else value


CHECKSUMS = {
    "content-md5": "md5",
    "x-amz-checksum-sha256": "sha-256",
    "x-amz-checksum-sha1": "sha",
    "x-amz-checksum-crc32": "crc32",
    "content-digest": "sha-256",
    "repr-digest": "sha-512",
}
"""Headers, with the algorithm that is recorded."""


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
    stored = store.stat("object")
    assert stored is not None and stored.checksum is not None
    assert stored.checksum.startswith(f"{CHECKSUMS[name]}=:")
    assert stored.checksum.split("=:")[1].rstrip(":") in checksum(name, data)


async def test_other_checksums_are_ignored(store: FileStore, client: httpx.AsyncClient) -> None:
    headers = {"content-type": TYPE, "x-amz-checksum-crc64nvme": "abc", "x-amz-checksum-algorithm": "CRC64NVME"}
    headers["content-digest"] = "crc64nvme=:abc=:"
    assert (await client.put(put_url(store), content=DATA, headers=headers)).status_code == 200
    stored = store.stat("object")
    assert stored is not None and stored.checksum is None


async def test_the_best_of_several_checksums_is_recorded(store: FileStore, client: httpx.AsyncClient) -> None:
    headers = {name: checksum(name, DATA) for name in CHECKSUMS}
    response = await client.put(put_url(store), content=DATA, headers={"content-type": TYPE, **headers})
    assert response.status_code == 200
    stored = store.stat("object")
    assert stored is not None and (stored.checksum or "").startswith("sha-512=:")
