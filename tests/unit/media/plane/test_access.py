"""Who may read and write: scopes for plain URLs, and the signatures of presigned ones."""

from pathlib import Path

import httpx
import pytest

from storage.media.filesystem import FileStore
from tests.unit.media.plane.media_requests import (
    DATA,
    TYPE,
    assert_error,
    assert_nothing_kept,
    bearer,
    client_of,
    get_url,
    open_store,
    plain_url,
    plane,
    put_url,
    read,
    stored,
)

pytestmark = pytest.mark.anyio


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
