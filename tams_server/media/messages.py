"""Requests, responses and errors of the media plane."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.types import Scope

from storage.media.filesystem import FileStore
from storage.media.object_file import ObjectFile
from tams_server import error_codes
from tams_server.errors import PROBLEM_TYPE, HttpError, problem
from tams_server.http.exchange import Exchange, exchange_of
from tams_server.http.headers import allowed_headers

METHODS: Final = "GET, HEAD, PUT, OPTIONS"

CORS_HEADERS: Final = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "ETag, Content-Length, Content-Range, Accept-Ranges, Last-Modified",
}
"""Sent with every response, errors included."""

_PREFLIGHT_AGE_S: Final = 7200


class RangeNotSatisfiable(HttpError):
    """The requested range is outside the object. headers must have Content-Range, with the size of the object."""

    kind = "range_not_satisfiable"
    default_code = error_codes.RANGE
    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


@dataclass(frozen=True, slots=True)
class MediaRequest:
    """A request for one object. headers: by lower-case name. query: as the client sent it."""

    method: str
    headers: Mapping[str, str]
    query: str
    store: FileStore
    object_id: str


@dataclass(frozen=True, slots=True)
class MediaResponse:
    """A response. headers: by lower-case name.

    body: the whole body, or its first bytes if `remaining` more bytes follow from `file`, which the sender closes.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: ObjectFile | None = None
    remaining: int = 0


def error_response(error: Exception, scope: Scope) -> MediaResponse:
    """Return the problem document of an error."""
    document = problem(error, scope["path"], request_id_of(scope))
    exchange = _exchange_of(scope)
    if exchange is not None:
        exchange.error_code = document.code
    headers = {name.lower(): value for name, value in document.headers.items()}
    fixed = {"content-type": PROBLEM_TYPE, "content-length": str(len(document.body)), "cache-control": "no-store"}
    return MediaResponse(document.status, headers | fixed, document.body)


def preflight_response(headers: Mapping[str, str]) -> MediaResponse:
    """Return the response to OPTIONS: any origin may use any supported method, with any header."""
    allowed = {
        "allow": METHODS,
        "access-control-allow-methods": METHODS,
        "access-control-max-age": str(_PREFLIGHT_AGE_S),
        "access-control-allow-headers": allowed_headers(headers.get("access-control-request-headers")),
        "vary": "Access-Control-Request-Headers",
    }
    return MediaResponse(204, allowed)


def raw_path_of(scope: Scope) -> str:
    """Return the percent-encoded path as the client sent it, below the base path of the server."""
    exchange = _exchange_of(scope)
    if exchange is not None:
        return exchange.raw_path
    raw: bytes | None = scope.get("raw_path")
    path = raw.decode("latin-1") if raw is not None else quote(scope["path"])
    return path.removeprefix(quote(scope.get("root_path", "")))


def request_id_of(scope: Scope) -> str:
    """Return the request id set by OuterMiddleware, or a new one without it."""
    exchange = _exchange_of(scope)
    return exchange.request_id if exchange is not None else uuid.uuid4().hex


def _exchange_of(scope: Scope) -> Exchange | None:
    try:
        return exchange_of(scope)
    except KeyError:
        return None
