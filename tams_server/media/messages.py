"""Requests, answers and refusals of the media plane, as its modules pass them to each other."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.types import Scope

from storage.media.filesystem import FileStore
from storage.media.object_file import ObjectFile
from tams_server.errors import PROBLEM_TYPE, HttpError, problem
from tams_server.http.exchange import Exchange, exchange_of

METHODS: Final = "GET, HEAD, PUT, OPTIONS"

CORS: Final = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "ETag, Content-Length, Content-Range, Accept-Ranges, Last-Modified",
}
"""On every answer, refusals included."""

_PREFLIGHT_AGE_S: Final = 7200


class PreconditionFailed(HttpError):
    """The object is not in the state that the conditions of the request ask for."""

    code = "precondition_failed"
    status = HTTPStatus.PRECONDITION_FAILED


class RangeNotSatisfiable(HttpError):
    """headers holds Content-Range, with the size of the object."""

    code = "range_not_satisfiable"
    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


@dataclass(frozen=True, slots=True)
class Request:
    """A request for one object. headers: by lower-case name; query: as the client sent it."""

    method: str
    headers: Mapping[str, str]
    query: str
    store: FileStore
    object_id: str


@dataclass(frozen=True, slots=True)
class Reply:
    """body: its first bytes; the other `remaining` bytes follow from `file`, which is closed after that."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: ObjectFile | None = None
    remaining: int = 0


def refusal(error: Exception, scope: Scope) -> Reply:
    """The answer of application/problem+json to an error."""
    told = problem(error, scope["path"], request_id_of(scope))
    headers = {name.lower(): value for name, value in told.headers.items()}
    fixed = {"content-type": PROBLEM_TYPE, "content-length": str(len(told.body)), "cache-control": "no-store"}
    return Reply(told.status, headers | fixed, told.body)


def preflight(headers: Mapping[str, str]) -> Reply:
    """The answer to OPTIONS: every origin may send every method with every header."""
    answer = {
        "allow": METHODS,
        "access-control-allow-methods": METHODS,
        "access-control-max-age": str(_PREFLIGHT_AGE_S),
        "vary": "Access-Control-Request-Headers",
    }
    asked = headers.get("access-control-request-headers")
    if asked:
        answer["access-control-allow-headers"] = asked
    return Reply(204, answer)


def headers_of(scope: Scope) -> dict[str, str]:
    """By lower-case name; what was sent in several lines is joined by commas."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def raw_path_of(scope: Scope) -> str:
    """The path as the client sent it (percent-encoded), below the base path of the server."""
    exchange = _exchange_of(scope)
    if exchange is not None:
        return exchange.raw_path
    raw: bytes | None = scope.get("raw_path")
    path = raw.decode("latin-1") if raw is not None else quote(scope["path"])
    return path.removeprefix(quote(scope.get("root_path", "")))


def request_id_of(scope: Scope) -> str:
    """The request id that the front gave, or a new one where there is no front."""
    exchange = _exchange_of(scope)
    return exchange.request_id if exchange is not None else uuid.uuid4().hex


def _exchange_of(scope: Scope) -> Exchange | None:
    try:
        return exchange_of(scope)
    except KeyError:
        return None
