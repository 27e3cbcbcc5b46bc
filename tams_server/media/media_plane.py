"""The media plane: PUT, GET and HEAD of the objects of file stores under /media/, with the behaviour of S3.

A presigned URL needs no credentials; a plain one needs those of the API (AUTH-11). Bodies are streamed in both
directions. A request for several ranges gets the whole object.
"""

import io
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from functools import partial
from typing import Final, Literal

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storage.catalog.caller import Caller
from storage.catalog.objects.object_uploads import upload_not_allocated
from storage.errors import Forbidden, NotFound, TamsError
from storage.media.filesystem import FileStore
from storage.media.object_file import ObjectFile
from storage.media.signing import allocation_of, is_signed, possible_ids
from tams_server import error_codes
from tams_server.errors import ClientDisconnected, MethodNotAllowed
from tams_server.http.headers import all_headers
from tams_server.media.access import AccessToMedia, OpenAccess
from tams_server.media.admission import Admission
from tams_server.media.bodies import RunInThread
from tams_server.media.download import READ_BYTES, read_object
from tams_server.media.messages import (
    CORS_HEADERS,
    METHODS,
    MediaRequest,
    MediaResponse,
    error_response,
    preflight_response,
    raw_path_of,
)
from tams_server.media.threads import MediaThreads
from tams_server.media.upload import Uploader, UploadRules

_log = logging.getLogger(__name__)

_UNLIMITED: Final = nullcontext()
_SEND_FILE: Final = "http.response.zerocopysend"
"""The extension of ASGI with which the server sends a part of a file."""


def media_plane(
    stores: Mapping[str, FileStore],
    authenticate: Callable[[Scope], Caller],
    uploads: UploadRules,
    *,
    max_upload_bytes: int | None = None,
    stall_timeout_s: float = 60.0,
    min_rate: float = 0,
    admission: Admission | None = None,
    access: AccessToMedia | None = None,
    in_thread: RunInThread | None = None,
) -> ASGIApp:
    """Return the ASGI application for /media/....

    stores: by storage backend id.
    authenticate: returns the caller of a plain URL, or raises tams_server.errors.Unauthorized. Runs in a thread.
    uploads: decides which objects may be written. Its methods run in threads.
    max_upload_bytes: the maximum size of an upload, beyond which it gets 413; None for no limit.
    stall_timeout_s: the time without any bytes after which an upload gets 408.
    min_rate: bytes per second below which it gets 408 too, on average over that time.
    admission: of the requests of principals; None for all of them.
    access: decides who may use plain URLs, beyond the scopes; None for everybody. Its method runs in threads.
    in_thread: runs what may block; by default in threads of its own.
    """
    rules, run = access or OpenAccess(), in_thread or MediaThreads()
    uploader = Uploader(uploads, run, max_upload_bytes, stall_timeout_s, min_rate, admission)
    return _MediaPlane(stores, authenticate, uploads, uploader, admission, rules, run)


class _MediaPlane:
    def __init__(
        self,
        stores: Mapping[str, FileStore],
        authenticate: Callable[[Scope], Caller],
        uploads: UploadRules,
        uploader: Uploader,
        admission: Admission | None,
        access: AccessToMedia,
        in_thread: RunInThread,
    ) -> None:
        self._stores = stores
        self._access = access
        self._authenticate = authenticate
        self._uploads = uploads
        self._admission = admission
        self._uploader = uploader
        self._in_thread = in_thread

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with ExitStack() if self._admission is not None else _UNLIMITED as counted:
            try:
                response = await self._respond(scope, receive, counted)
            except ClientDisconnected:
                return
            except TamsError as error:
                response = error_response(error, scope)
            except Exception as error:
                _log.exception("the media plane failed at %s %s", scope["method"], scope["path"])
                response = error_response(error, scope)
            await self._send(response, scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive, counted: ExitStack | None) -> MediaResponse:
        """counted: keeps a request with a credential counted until it is closed; None if there are no limits."""
        method = scope["method"]
        headers = all_headers(scope)
        if method == "OPTIONS":
            return preflight_response(headers)
        if method not in ("GET", "HEAD", "PUT"):
            raise MethodNotAllowed(f"method {method} is not allowed here, only {METHODS}", headers={"Allow": METHODS})
        backend_id, object_ids = possible_ids(raw_path_of(scope))
        if backend_id not in self._stores:
            raise NotFound(
                f"storage backend {backend_id!r} does not exist or is not served from here",
                code=error_codes.MEDIA_NOT_FOUND,
            )
        query = scope["query_string"].decode("latin-1")
        store = self._stores[backend_id]
        writes = method == "PUT"
        if is_signed(query):
            if store.url_keys.need_renewal():
                await self._in_thread(store.url_keys.renew)
            object_id = _signed_id(store, "PUT" if writes else "GET", object_ids, query)
            allocated = allocation_of(query) if writes else None
        else:
            caller = await self._require_scope("write" if writes else "read", scope)
            if self._admission is not None and counted is not None:
                counted.enter_context(self._admission.request_of(scope, caller.name))
            find = partial(self._known_id, caller, store, object_ids, writes=writes)
            object_id = await self._in_thread(find)
            allocated = None
        request = MediaRequest(method, headers, query, store, object_id)
        if writes:
            return await self._uploader.put(request, allocated, scope, receive, presigned=is_signed(query))
        return await self._in_thread(partial(read_object, request, sends_files=_sends_files(scope)))

    def _known_id(self, caller: Caller, store: FileStore, object_ids: Sequence[str], *, writes: bool) -> str:
        """Return the first of the ids that a plain URL may mean whose object can be written or read.

        Raises storage.errors.NotFound and Forbidden if the caller may not write or read it.
        """
        permission: Literal["read", "write"] = "write" if writes else "read"
        permits = self._access.permits
        for object_id in object_ids[:-1]:
            try:
                if not permits(caller, object_id, store.backend.id, permission):
                    continue
                if writes:
                    self._uploads.find(object_id, store.backend.id)
                elif store.stat(object_id) is None:
                    continue
            except NotFound:
                continue
            return object_id
        if not permits(caller, object_ids[-1], store.backend.id, permission):
            raise upload_not_allocated(object_ids[-1], store.backend.id) if writes else store.missing(object_ids[-1])
        return object_ids[-1]

    async def _require_scope(self, needed: Literal["read", "write"], scope: Scope) -> Caller:
        caller = await self._in_thread(partial(self._authenticate, scope))
        if not caller.may((needed,)):
            raise Forbidden(f"{caller.name} does not have the scope tams-api/{needed}", code=error_codes.AUTH_SCOPE)
        return caller

    async def _send(self, response: MediaResponse, scope: Scope, receive: Receive, send: Send) -> None:
        headers = response.headers | CORS_HEADERS
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        file, remaining = response.file, response.remaining
        try:
            await send({"type": "http.response.start", "status": response.status, "headers": raw})
            if file is not None and remaining and _sends_files(scope):
                opened = io.FileIO(file.descriptor, closefd=False)
                await send({"type": _SEND_FILE, "file": opened, "offset": file.tell(), "count": remaining})
                return
            body = b"" if scope["method"] == "HEAD" else response.body
            await send({"type": "http.response.body", "body": body, "more_body": remaining > 0})
            if file is not None and remaining:
                await self._send_rest(file, remaining, receive, send)
        finally:
            if file is not None:
                file.close()

    async def _send_rest(self, file: ObjectFile, remaining: int, receive: Receive, send: Send) -> None:
        """Send the next `remaining` bytes of `file`. Stop reading it if the client disconnects."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_on_disconnect, receive, tasks.cancel_scope)
            while remaining:
                chunk = await self._in_thread(partial(file.read, min(READ_BYTES, remaining)))
                if not chunk:
                    raise OSError("the file of an object was truncated while it was being read")
                remaining -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": remaining > 0})
            tasks.cancel_scope.cancel()


def _signed_id(store: FileStore, method: str, object_ids: Sequence[str], query: str) -> str:
    """Return the id that a presigned URL means. Raises storage.errors.Forbidden unless its signature is valid now."""
    errors = []
    for object_id in object_ids:
        try:
            store.check_signature(method, object_id, query)
        except Forbidden as error:
            errors.append(error)
        else:
            return object_id
    raise errors[0]


def _sends_files(scope: Scope) -> bool:
    return _SEND_FILE in scope.get("extensions", {})


async def _cancel_on_disconnect(receive: Receive, scope: anyio.CancelScope) -> None:
    message: Message = {}
    while message.get("type") != "http.disconnect":
        message = await receive()
    scope.cancel()
