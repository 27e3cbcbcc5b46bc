"""Refusals and failures as HTTP answers: the one place where an exception becomes a status and a problem document.

Problem documents follow RFC 9457 and are valid as the specification's error.json too (A61).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

import orjson

from storage.errors import Conflict, Forbidden, Invalid, NotFound, TamsError, Unavailable

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 5


class HttpError(TamsError):
    """A refusal that only HTTP knows. headers: to be sent with it."""

    status = HTTPStatus.BAD_REQUEST

    def __init__(self, message: str, *, headers: dict[str, str] | None = None, field: str | None = None) -> None:
        super().__init__(message, field=field)
        self.headers = headers or {}


class Unauthorized(HttpError):
    """No credential, or one that is not valid (AUTH-01, AUTH-05)."""

    code = "unauthorized"
    status = HTTPStatus.UNAUTHORIZED


class NoSuchPath(HttpError):
    code = "not_found"
    status = HTTPStatus.NOT_FOUND


class MethodNotAllowed(HttpError):
    """headers holds Allow (GEN-06)."""

    code = "method_not_allowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED


class TooLarge(HttpError):
    """The body has more bytes than are read. The connection is closed, since the rest of it is not."""

    code = "too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class TooSlow(HttpError):
    """The body stopped coming. The connection is closed, since the rest of it may still come."""

    code = "too_slow"
    status = HTTPStatus.REQUEST_TIMEOUT


class UnsupportedMediaType(HttpError):
    code = "unsupported_media_type"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class InvalidResponse(Exception):
    """This server was about to break its own specification; raised only where the settings ask for it (tests)."""


_STATUS: tuple[tuple[type[TamsError], HTTPStatus], ...] = (
    (Invalid, HTTPStatus.BAD_REQUEST),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer that tells of a refusal or a failure. headers: without Content-Type and Content-Length."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def problem(error: Exception, path: str, request_id: str) -> Problem:
    """The answer to `error`. path: of the request, without its query, which may hold a token.

    What is no TamsError becomes a 500 that says nothing of its cause.
    """
    if not isinstance(error, TamsError):
        error = TamsError("the server failed at this request; its log tells more under the request id")
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
    told = {name: value for name, value in document.items() if value is not None}
    return Problem(status.value, _encoded(told), headers)


def _encoded(document: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:  # text of the client that is not valid Unicode
        safe = {k: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for k, v in document.items()}
        return orjson.dumps(safe)
