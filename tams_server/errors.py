"""Errors of HTTP, and the one place where an exception becomes a status and a problem document.

Problem documents follow RFC 9457, and are also valid as the error.json of the specification (A61).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

import orjson

from storage.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    TamsError,
    Unavailable,
)
from storage.nul import unescape_json

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 5


class HttpError(TamsError):
    """An error of the HTTP layer. headers: to be sent with the response."""

    status = HTTPStatus.BAD_REQUEST

    def __init__(self, message: str, *, headers: dict[str, str] | None = None, field: str | None = None) -> None:
        super().__init__(message, field=field)
        self.headers = headers or {}


class Unauthorized(HttpError):
    """The request has no credential, or an invalid one (AUTH-01, AUTH-05)."""

    code = "unauthorized"
    status = HTTPStatus.UNAUTHORIZED


class NoSuchPath(HttpError):
    """This server has no such path."""

    code = "not_found"
    status = HTTPStatus.NOT_FOUND


class MethodNotAllowed(HttpError):
    """The path does not support the method. headers must have Allow (GEN-06)."""

    code = "method_not_allowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED


class TooLarge(HttpError):
    """The body exceeds the maximum size. The connection is closed, because the rest of the body is not read."""

    code = "too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class BadRequest(HttpError):
    """The request is not valid HTTP."""

    code = "bad_request"


class TargetTooLong(HttpError):
    """The path and query exceed the maximum length. The connection is closed, as after all errors of the head."""

    code = "uri_too_long"
    status = HTTPStatus.REQUEST_URI_TOO_LONG


class HeadersTooLarge(HttpError):
    """The headers exceed the maximum size or number."""

    code = "headers_too_large"
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


class UnsupportedTransferCoding(HttpError):
    """The body has a transfer coding other than chunked (RFC 9112, section 6.1)."""

    code = "unsupported_transfer_coding"
    status = HTTPStatus.NOT_IMPLEMENTED


class TooSlow(HttpError):
    """The client stopped sending the head or the body. The connection is closed: the rest may still arrive."""

    code = "too_slow"
    status = HTTPStatus.REQUEST_TIMEOUT


class UnsupportedMediaType(HttpError):
    code = "unsupported_media_type"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class ClientDisconnected(Exception):
    """The client disconnected before its request was complete, so there is no client to respond to."""


class InvalidResponse(Exception):
    """A response of this server violates the specification. Raised only if the settings ask for it, for tests."""


_STATUS: tuple[tuple[type[TamsError], HTTPStatus], ...] = (
    (Invalid, HTTPStatus.BAD_REQUEST),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (AlreadyExists, HTTPStatus.CONFLICT),
    (PreconditionFailed, HTTPStatus.PRECONDITION_FAILED),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error response. headers: besides Content-Type and Content-Length."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def problem(error: Exception, path: str, request_id: str) -> Problem:
    """Return the response to `error`.

    path: of the request, without its query, which may contain an access token.
    Any exception other than a TamsError becomes a 500 that does not reveal its cause.
    """
    if not isinstance(error, TamsError):
        error = TamsError(f"internal server error; see the server's log for request id {request_id}")
        return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", error, path, request_id, {})
    if isinstance(error, HttpError):
        return _problem(error.status, error.code, error, path, request_id, error.headers)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.BAD_REQUEST)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return _problem(status, error.code, error, path, request_id, headers)


def _problem(
    status: HTTPStatus, code: str, error: TamsError, path: str, request_id: str, headers: dict[str, str]
) -> Problem:
    document = {
        "type": f"urn:x-tams-server:problem:{code.replace('_', '-')}",
        "title": status.phrase,
        "status": status.value,
        "detail": error.message,
        "instance": path,
        "message": error.message,
        "summary": error.message,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "code": code,
        "field": error.field,
        "behaviour": error.behaviour,
        "request_id": request_id,
    }
    given = {name: value for name, value in document.items() if value is not None}
    return Problem(status.value, _encode(given), headers)


def _encode(document: Mapping[str, object]) -> bytes:
    try:
        return unescape_json(orjson.dumps(document))
    except orjson.JSONEncodeError:  # text sent by the client that is not valid Unicode
        safe = {k: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for k, v in document.items()}
        return orjson.dumps(safe)
