"""Other paths and methods, CORS, and headers that protect the origin."""

import httpx
import pytest
from starlette.types import Message

from storage.media.filesystem import FileStore
from tams_server.media.media_plane import media_plane
from tests.unit.media.plane.media_requests import (
    BACKEND,
    DATA,
    TYPE,
    assert_error,
    authenticate,
    bearer,
    client_of,
    get_url,
    plain_url,
    plane,
    stored,
)

pytestmark = pytest.mark.anyio


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
