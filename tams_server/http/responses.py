"""From the answer of a handler to a Flask response: checked against the specification, then encoded once."""

import logging
import re
from collections.abc import Callable
from typing import Any

import orjson
from flask import Response

from handlers.shared.call import ABSENT, Result
from tams_server.errors import InvalidResponse
from tams_server.specification.operations import Operation

_log = logging.getLogger(__name__)
_INTEGER = re.compile(r"-?[0-9]+")


class ResponseWriter:
    """Makes responses. violations: how many answers broke the specification so far, in this process.

    on_violation: told the operationId of each of them.
    """

    def __init__(
        self, *, fail_on_bad_answer: bool, on_violation: Callable[[str], None] = lambda _operation: None
    ) -> None:
        self._fail = fail_on_bad_answer
        self._on_violation = on_violation
        self.violations = 0

    def respond(self, operation: Operation, answer: Result) -> Response:
        """The response for an answer. One that breaks the specification is logged and counted, and goes out all the
        same; where the settings ask for it, InvalidResponse is raised instead."""
        fault = _fault(operation, answer)
        if fault is not None:
            self.violations += 1
            self._on_violation(operation.id)
            _log.error("answer of %s breaks the specification: %s", operation.id, fault)
            if self._fail:
                raise InvalidResponse(f"{operation.id}: {fault}")
        if answer.body is ABSENT:
            response = Response(b"", answer.status, answer.headers)
            del response.headers["Content-Type"]
            return response
        return Response(orjson.dumps(answer.body), answer.status, answer.headers, content_type="application/json")


def _fault(operation: Operation, answer: Result) -> str | None:
    """What in `answer` the specification does not allow. Its bodies are checked as objects, before they are encoded."""
    documented = operation.responses.get(str(answer.status))
    if documented is None:
        return f"status {answer.status} is not documented"
    if documented.body is None:
        if answer.body is not ABSENT:
            return f"status {answer.status} is documented without a body"
    elif answer.body is ABSENT:
        return f"status {answer.status} is documented with a body"
    elif not documented.body.is_valid(answer.body):
        complaint = documented.body.complaint(answer.body)
        return f"{complaint.field or 'body'}: {complaint.text}" if complaint else "body is invalid"
    for name, value in answer.headers.items():
        known = documented.headers.get(name.lower())
        if known is not None and not known[1].is_valid(_header_value(known[0], value)):
            return f"header {name}: {value!r} does not meet its schema"
    return None


def _header_value(kind: str, text: str) -> Any:
    if kind == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text
