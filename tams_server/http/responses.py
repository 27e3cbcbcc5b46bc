"""From the result of a handler to a response: checked against the specification, then encoded."""

import functools
import logging
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

from handlers.shared.call import ABSENT, Encoded, Result
from storage.nul import unescape_json
from storage.preconditions import Preconditions, ResourceState, ResourceVersion
from tams_server.errors import InvalidResponse
from tams_server.http.conditional_requests import http_date
from tams_server.specification.operations import DeclaredResponse, Operation

_log = logging.getLogger(__name__)
_INTEGER = re.compile(r"-?[0-9]+")
_JSON = (b"content-type", b"application/json")

Headers = list[tuple[bytes, bytes]]


class Response(NamedTuple):
    """A response as ASGI sends it. headers: with names in lower case."""

    status: int
    headers: Headers
    body: bytes


class ResponseWriter:
    """violations: how many responses of this process have violated the specification so far."""

    def __init__(
        self, *, fail_on_violation: bool, on_violation: Callable[[str], None] = lambda _operation_id: None
    ) -> None:
        """fail_on_violation: raise instead of sending the response. on_violation: called with the operationId."""
        self._fail_on_violation = fail_on_violation
        self._on_violation = on_violation
        self.violations = 0

    def respond(self, operation: Operation, result: Result, preconditions: Preconditions | None = None) -> Response:
        """Return the response for a result; 304 if the client has the representation already.

        A response that violates the specification is logged, counted and returned all the same; with
        fail_on_violation, InvalidResponse is raised instead. Raises storage.errors.PreconditionFailed.
        """
        violation = _violation(operation, result)
        if violation is not None:
            self.violations += 1
            self._on_violation(operation.id)
            _log.error("response of %s violates the specification: %s", operation.id, violation)
            if self._fail_on_violation:
                raise InvalidResponse(f"{operation.id}: {violation}")
        if result.body is ABSENT:
            length = [] if result.status == HTTPStatus.NO_CONTENT else [(b"content-length", b"0")]
            return Response(result.status, [*_encoded(result.headers), *length], b"")
        encoded = isinstance(result.body, Encoded)
        body = result.body.content if encoded else orjson.dumps(result.body)
        headers = _encoded(result.headers)
        if result.version is not None:
            etag = result.version.etag(body, result.body.digest if isinstance(result.body, Encoded) else None)
            if preconditions is not None and preconditions.is_unmodified(_state(result.version, etag)):
                kept = [each for each in headers if each[0] == b"cache-control"]
                return Response(304, [(b"etag", f'"{etag}"'.encode()), *kept], b"")
            headers += _validators(result.version, etag)
        if encoded:
            media_type = (b"content-type", result.body.media_type.encode("latin-1"))
        else:
            body, media_type = unescape_json(body), _JSON
        headers += (media_type, (b"content-length", b"%d" % len(body)))
        return Response(result.status, headers, body)


def _encoded(headers: Mapping[str, str]) -> Headers:
    return [(_encoded_name(name), value.encode("latin-1")) for name, value in headers.items()]


@functools.cache
def _encoded_name(name: str) -> bytes:
    """Return the name of a header as it is sent. Handlers use few different names."""
    return name.lower().encode("latin-1")


def _state(version: ResourceVersion, etag: str) -> ResourceState:
    return ResourceState(etag, version.tag or None, version.modified)


def _validators(version: ResourceVersion, etag: str) -> Headers:
    date = [] if version.modified is None else [(b"last-modified", http_date(version.modified).encode())]
    return [(b"etag", f'"{etag}"'.encode()), *date]


def _violation(operation: Operation, result: Result) -> str | None:
    """Return how `result` violates the specification, or None. The body is checked before it is encoded."""
    declared = operation.responses.get(str(result.status))
    if declared is None:
        return f"status {result.status} is not documented"
    if declared.body is None:
        if result.body is not ABSENT:
            return f"status {result.status} is documented without a body"
    elif result.body is ABSENT:
        return f"status {result.status} is documented with a body"
    elif isinstance(result.body, Encoded):
        # It may be large, and its maker answers for its content; the tests check that.
        if result.body.media_type.partition(";")[0] not in declared.media_types:
            return f"status {result.status} is not documented with {result.body.media_type}"
    elif not declared.body.is_valid(result.body) and not _is_as_stored(declared, result.body):
        violation = declared.body.violation(result.body)
        return f"{violation.field or 'body'}: {violation.text}" if violation else "body is invalid"
    for name, value in result.headers.items():
        header = declared.headers.get(name.lower())
        if header is not None and not header[1].is_valid(_header_value(header[0], value)):
            return f"header {name}: {value!r} does not match its schema"
    return None


def _is_as_stored(declared: DeclaredResponse, body: Any) -> bool:
    """Whether a body breaks its schema only as documents may that were stored with TAMS_VALIDATION_LEVEL=relaxed (F9).

    `tams-server compliance --scan` lists these documents.
    """
    return declared.storable is not None and declared.storable.is_valid(body)


def _header_value(kind: str, text: str) -> Any:
    if kind == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text
