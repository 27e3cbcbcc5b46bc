"""From the result of a handler to a Flask response: checked against the specification, then encoded."""

import logging
import re
from collections.abc import Callable
from typing import Any

import orjson
from flask import Response

from handlers.shared.call import ABSENT, Result
from storage.nul import unescape_json
from storage.preconditions import Preconditions, ResourceState, ResourceVersion
from tams_server.errors import InvalidResponse
from tams_server.http.conditional_requests import http_date
from tams_server.specification.operations import Operation

_log = logging.getLogger(__name__)
_INTEGER = re.compile(r"-?[0-9]+")


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
            response = Response(b"", result.status, result.headers)
            del response.headers["Content-Type"]
            return response
        body = orjson.dumps(result.body)
        headers = result.headers
        if result.version is not None:
            etag = result.version.etag(body)
            if preconditions is not None and preconditions.is_unmodified(_state(result.version, etag)):
                return Response(b"", 304, {"ETag": f'"{etag}"'})
            headers = {**headers, **_validators(result.version, etag)}
        return Response(unescape_json(body), result.status, headers, content_type="application/json")


def _state(version: ResourceVersion, etag: str) -> ResourceState:
    return ResourceState(etag, version.tag or None, version.modified)


def _validators(version: ResourceVersion, etag: str) -> dict[str, str]:
    date = {} if version.modified is None else {"Last-Modified": http_date(version.modified)}
    return {"ETag": f'"{etag}"', **date}


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
    elif not declared.body.is_valid(result.body):
        violation = declared.body.violation(result.body)
        return f"{violation.field or 'body'}: {violation.text}" if violation else "body is invalid"
    for name, value in result.headers.items():
        header = declared.headers.get(name.lower())
        if header is not None and not header[1].is_valid(_header_value(header[0], value)):
            return f"header {name}: {value!r} does not match its schema"
    return None


def _header_value(kind: str, text: str) -> Any:
    if kind == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text
