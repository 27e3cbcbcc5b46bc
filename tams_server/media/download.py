"""GET and HEAD of an object: headers, conditions and ranges. Everything here runs in a worker thread."""

from typing import Final

from storage.media.object_file import ObjectFile
from storage.preconditions import ResourceState
from tams_server.http.conditional_requests import (
    RangeOutsideContent,
    http_date,
    read_preconditions,
    requested_range,
)
from tams_server.media.messages import MediaRequest, MediaResponse, RangeNotSatisfiable

READ_BYTES: Final = 256 * 1024
"""Read from the disk, and held in memory, at a time. Of objects with more, the server sends the file if it can."""

# Media come from clients: a browser that opens an object must not run it with the rights of this origin.
_SANDBOX_HEADERS: Final = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox"}


def read_object(request: MediaRequest, *, sends_files: bool) -> MediaResponse:
    """Return the response to GET or HEAD; for GET with the first bytes of the body, or none if the file is to be sent.

    sends_files: whether the server can send files.
    Raises storage.errors.NotFound, Unavailable and PreconditionFailed, and RangeNotSatisfiable.
    """
    file = request.store.open_unbuffered(request.object_id)
    try:
        response = _response(file, request, sends_files)
    except BaseException:
        file.close()
        raise
    if response.file is None:
        file.close()
    return response


def _response(file: ObjectFile, request: MediaRequest, sends_files: bool) -> MediaResponse:
    size = file.stored.size
    modified = int(file.modified)
    current = ResourceState(file.stored.etag, modified=modified)
    headers = {
        "etag": f'"{file.stored.etag}"',
        "last-modified": http_date(modified),
        "cache-control": "private",
        "accept-ranges": "bytes",
        **_SANDBOX_HEADERS,
    }
    if read_preconditions(request.headers).is_unmodified(current):
        return MediaResponse(304, headers)
    headers["content-type"] = _valid_header_value(file.stored.content_type)
    if request.method == "HEAD":
        return MediaResponse(200, headers | {"content-length": str(size)})
    try:
        part = requested_range(request.headers, current, size)
    except RangeOutsideContent:
        raise RangeNotSatisfiable(
            f"Range {request.headers['range']!r} is outside the object, which has {size} bytes",
            headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"},
            field="Range",
        ) from None
    first, end = part or (0, size)
    headers["content-length"] = str(end - first)
    if part:
        headers["content-range"] = f"bytes {first}-{end - 1}/{size}"
    file.seek(first)
    wanted = min(READ_BYTES, end - first)
    start = b"" if sends_files and end - first > wanted else file.read(wanted) or b""
    return MediaResponse(206 if part else 200, headers, start, file, end - first - len(start))


def _valid_header_value(content_type: str) -> str:
    return content_type if content_type.isascii() and content_type.isprintable() else "application/octet-stream"
