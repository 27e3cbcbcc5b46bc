"""What the tests of the media plane share: the application over files, its URLs, and raw requests to it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import anyio
import httpx
from starlette.types import ASGIApp, Message, Scope

from storage.catalog.caller import Caller
from storage.catalog.objects.object_uploads import Publication, UploadTarget
from storage.errors import Conflict, NotFound, PreconditionFailed
from storage.media.filesystem import FileStore
from storage.media.object_store import AllocationTerm, Backend
from tams_server.errors import Unauthorized
from tams_server.media.media_plane import media_plane

BACKEND = Backend("3f6d2a5e-8f0b-4a54-9d4e-0c5a8f0d9b11", "disc", "example", "files")

BASE = "http://media.example"

TYPE = "video/mp2t"

DATA = bytes(range(256)) * 4

SCOPES = {"reader": "read", "writer": "write", "deleter": "delete", "chief": "admin"}

KNOWN = {"known/object": "video/mp4"}

TYPES = [TYPE]
"""The content types of uploads. The place of one stands for the allocation in its presigned URLs."""


def open_store(root: Path, timeout_s: int = 300) -> FileStore:
    return FileStore(root, BACKEND, b"0123456789abcdef", upload_timeout_s=timeout_s, download_timeout_s=timeout_s)


def authenticate(scope: Scope) -> Caller:
    """Accept the name of a known caller as bearer token."""
    name = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
    if name not in SCOPES:
        raise Unauthorized("no valid credential", headers={"WWW-Authenticate": "Bearer"})
    return Caller(name, frozenset({SCOPES[name]}))


class AnyUpload:
    """Rules by which every object with a presigned URL may be written, and of the others those in KNOWN."""

    def find(self, object_id: str, storage_id: str, allocated: int | None = None) -> UploadTarget:
        content_type = KNOWN.get(object_id) if allocated is None else TYPES[allocated]
        if content_type is None:
            raise NotFound(f"object {object_id!r} has not been allocated")
        return UploadTarget(object_id, storage_id, "flow", content_type, 0)

    def publish(self, target: UploadTarget, upload: Publication, *, only_new: bool) -> None:
        try:
            upload.publish_new()
        except Conflict as error:
            if only_new:
                raise PreconditionFailed(error.message) from None
            upload.replace()


def plane(store: FileStore, **options: Any) -> ASGIApp:
    return media_plane({BACKEND.id: store}, authenticate, AnyUpload(), **options)


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)


def put_url(store: FileStore, object_id: str = "object", content_type: str = TYPE) -> str:
    if content_type not in TYPES:
        TYPES.append(content_type)
    term = AllocationTerm(TYPES.index(content_type), 3600)
    return store.upload_requests([object_id], content_type, presigned=True, base_url=BASE, term=term)[0].url


def get_url(store: FileStore, object_id: str = "object") -> str:
    return store.download_urls([object_id], presigned=True, base_url=BASE).presigned[0]


def plain_url(store: FileStore, object_id: str = "object") -> str:
    return store.download_urls([object_id], presigned=False, base_url=BASE).plain[0]


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
