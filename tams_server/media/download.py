"""GET and HEAD of an object: description, conditions and ranges; all of it runs in a worker thread."""

from typing import Final

from storage.media.object_file import ObjectFile
from tams_server.http.conditional_requests import Unsatisfiable, Validators, refused_by_condition, requested_range
from tams_server.media.messages import PreconditionFailed, RangeNotSatisfiable, Reply, Request

READ_BYTES: Final = 256 * 1024
"""Read from the disc, and held in memory, at a time."""

# Media come from clients: a browser that is led to one must not run it with the rights of this origin.
_HARMLESS: Final = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox"}


def read(request: Request) -> Reply:
    """The answer to GET or HEAD; for GET with the first bytes read.

    Raises storage.errors.NotFound, storage.errors.Unavailable, PreconditionFailed and RangeNotSatisfiable.
    """
    file = request.store.open_unbuffered(request.object_id)
    try:
        reply = _reply_from(file, request)
    except BaseException:
        file.close()
        raise
    if reply.file is None:
        file.close()
    return reply


def _reply_from(file: ObjectFile, request: Request) -> Reply:
    size = file.stored.size
    current = Validators(file.stored.etag, int(file.modified))
    headers = {
        "etag": current.quoted_etag,
        "last-modified": current.last_modified,
        "cache-control": "private",
        "accept-ranges": "bytes",
        **_HARMLESS,
    }
    refused = refused_by_condition(request.method, request.headers, current)
    if refused == 304:
        return Reply(304, headers)
    if refused == 412:
        raise precondition_failed(request.object_id)
    headers["content-type"] = _header_safe(file.stored.content_type)
    if request.method == "HEAD":
        return Reply(200, headers | {"content-length": str(size)})
    try:
        part = requested_range(request.headers, current, size)
    except Unsatisfiable:
        detail = f"Range {request.headers['range']!r} is outside the {size} bytes of the object"
        told = {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}
        raise RangeNotSatisfiable(detail, headers=told, field="Range") from None
    first, end = part or (0, size)
    headers["content-length"] = str(end - first)
    if part:
        headers["content-range"] = f"bytes {first}-{end - 1}/{size}"
    file.seek(first)
    start = file.read(min(READ_BYTES, end - first)) or b""
    return Reply(206 if part else 200, headers, start, file, end - first - len(start))


def precondition_failed(object_id: str) -> PreconditionFailed:
    """The refusal of a read or a write on the conditions that came with it."""
    return PreconditionFailed(f"object {object_id!r} is not in the state that the conditions of the request ask for")


def _header_safe(text: str) -> str:
    return text if text.isascii() and text.isprintable() else "application/octet-stream"
