"""Errors of HTTP, and the one place where an exception becomes a status and a problem document.

Problem documents follow RFC 9457, and are also valid as the error.json of the specification (A61).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

import orjson

from storage.error_codes import general
from storage.error_codes.code import ErrorCode
from storage.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    InUse,
    Invalid,
    NotFound,
    NotInstalled,
    PreconditionFailed,
    TamsError,
    TooExpensive,
    Unavailable,
    Unsuitable,
)
from storage.nul import unescape_json
from tams_server import error_codes

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 5


class HttpError(TamsError):
    """An error of the HTTP layer. headers: to be sent with the response."""

    status = HTTPStatus.BAD_REQUEST

    def __init__(
        self,
        message: str,
        *,
        code: ErrorCode | None = None,
        headers: dict[str, str] | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message, code=code, field=field)
        self.headers = headers or {}


class Unauthorized(HttpError):
    """The request has no credential, or an invalid one (AUTH-01, AUTH-05)."""

    kind = "unauthorized"
    default_code = error_codes.AUTH_REQUIRED
    status = HTTPStatus.UNAUTHORIZED


class NoSuchPath(HttpError):
    """This server has no such path."""

    kind = "not_found"
    default_code = error_codes.PATH_NOT_FOUND
    status = HTTPStatus.NOT_FOUND


class MethodNotAllowed(HttpError):
    """The path does not support the method. headers must have Allow (GEN-06)."""

    kind = "method_not_allowed"
    default_code = error_codes.METHOD_NOT_ALLOWED
    status = HTTPStatus.METHOD_NOT_ALLOWED


class TooLarge(HttpError):
    """The body exceeds the maximum size. The connection is closed, because the rest of the body is not read."""

    kind = "too_large"
    default_code = error_codes.BODY_TOO_LARGE
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class BadRequest(HttpError):
    """The request is not valid HTTP."""

    kind = "bad_request"
    default_code = error_codes.MALFORMED


class TargetTooLong(HttpError):
    """The path and query exceed the maximum length. The connection is closed, as after all errors of the head."""

    kind = "uri_too_long"
    default_code = error_codes.URI_TOO_LONG
    status = HTTPStatus.REQUEST_URI_TOO_LONG


class HeadersTooLarge(HttpError):
    """The headers exceed the maximum size or number."""

    kind = "headers_too_large"
    default_code = error_codes.HEADERS_TOO_LARGE
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


class UnsupportedTransferCoding(HttpError):
    """The body has a transfer coding other than chunked (RFC 9112, section 6.1)."""

    kind = "unsupported_transfer_coding"
    default_code = error_codes.TRANSFER_CODING
    status = HTTPStatus.NOT_IMPLEMENTED


class TooSlow(HttpError):
    """The client stopped sending the head or the body. The connection is closed: the rest may still arrive."""

    kind = "too_slow"
    default_code = error_codes.TOO_SLOW
    status = HTTPStatus.REQUEST_TIMEOUT


class TooManyRequests(HttpError):
    """The client, or all clients together, ask for more than is permitted. headers must have Retry-After."""

    kind = "too_many_requests"
    default_code = error_codes.RATE
    status = HTTPStatus.TOO_MANY_REQUESTS


class TooManyConnections(HttpError):
    """The process has no room for another connection. headers must have Retry-After."""

    kind = "too_many_connections"
    default_code = error_codes.TOO_MANY_CONNECTIONS
    status = HTTPStatus.SERVICE_UNAVAILABLE


class TooManyBodies(HttpError):
    """The process has no memory for the rest of the body, which is not read. headers must have Retry-After."""

    kind = "too_many_bodies"
    default_code = error_codes.TOO_MANY_BODIES
    status = HTTPStatus.SERVICE_UNAVAILABLE


class UnsupportedMediaType(HttpError):
    kind = "unsupported_media_type"
    default_code = error_codes.BODY_MEDIA_TYPE
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class InternalError(HttpError):
    """The server failed."""

    kind = "internal"
    default_code = general.INTERNAL
    status = HTTPStatus.INTERNAL_SERVER_ERROR


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
    (InUse, HTTPStatus.CONFLICT),
    (PreconditionFailed, HTTPStatus.PRECONDITION_FAILED),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (Unsuitable, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (TooExpensive, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotInstalled, HTTPStatus.NOT_IMPLEMENTED),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error response. headers: besides Content-Type and Content-Length. code: that of the error."""

    status: int
    body: bytes
    headers: dict[str, str]
    code: ErrorCode


def problem(error: Exception, path: str, request_id: str) -> Problem:
    """Return the response to `error`.

    path: of the request, without its query, which may contain an access token.
    Any exception other than a TamsError becomes a 500 that does not reveal its cause.
    """
    if not isinstance(error, TamsError):
        error = InternalError(f"internal server error; see the server's log for request id {request_id}")
    status = status_of(type(error))
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    if isinstance(error, HttpError):
        headers = error.headers
    return _problem(status, error, path, request_id, headers)


def status_of(error: type[TamsError]) -> HTTPStatus:
    """Return the status of the response to errors of a class."""
    if issubclass(error, HttpError):
        return error.status
    return next((status for kind, status in _STATUS if issubclass(error, kind)), HTTPStatus.BAD_REQUEST)


def _problem(status: HTTPStatus, error: TamsError, path: str, request_id: str, headers: dict[str, str]) -> Problem:
    document = {
        "type": f"urn:x-tams-server:problem:{error.kind.replace('_', '-')}",
        "title": status.phrase,
        "status": status.value,
        "detail": error.message,
        "instance": path,
        "message": error.message,
        "summary": error.message,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        **error.described(),
        "request_id": request_id,
    }
    return Problem(status.value, _encode(document), headers, error.code)


def _encode(document: Mapping[str, object]) -> bytes:
    try:
        return unescape_json(orjson.dumps(document))
    except orjson.JSONEncodeError:  # text sent by the client that is not valid Unicode
        safe = {k: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for k, v in document.items()}
        return orjson.dumps(safe)
