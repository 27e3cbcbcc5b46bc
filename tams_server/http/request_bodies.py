"""Request bodies: read up to a maximum size, parsed as JSON that can be stored and returned unchanged, validated."""

import asyncio
import codecs
import contextlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from starlette.types import Message, Receive

from handlers.shared.call import ABSENT
from storage.errors import Invalid
from tams_server import error_codes
from tams_server.errors import ClientDisconnected, TooLarge, TooSlow, UnsupportedMediaType
from tams_server.http.body_memory import BodyShare
from tams_server.http.json_documents import JsonLimits, moved_path, parse_json
from tams_server.http.pace import Pace
from tams_server.specification.explain import format_value, join_path
from tams_server.specification.operations import Operation

STALL_TIMEOUT_S = 30
_BODY_SCHEMA = ("requestBody", "content", "application/json", "schema")


async def read_body(
    headers: Mapping[bytes, bytes], receive: Receive, max_bytes: int, pace: Pace | None = None, *, share: BodyShare
) -> bytes | bytearray:
    """Return the body. headers: the first value of each header, by lower-case name. share: to hold its bytes in.

    Raises TooLarge (before reading, if Content-Length says so), TooManyBodies, TooSlow if the client does not keep the
    pace (by default a byte every STALL_TIMEOUT_S seconds), and ClientDisconnected.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared.lstrip(b"0")[:18] or b"0") > max_bytes:
        raise _too_large(max_bytes)
    # One buffer that grows, as a list would take many times the bytes of a body that arrives in small pieces.
    body = bytearray()
    pace = pace or Pace(0, STALL_TIMEOUT_S)
    while True:
        message: Message | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pace.remaining_s):
                message = await receive()
        if message is not None:
            if message["type"] == "http.disconnect":
                raise ClientDisconnected
            chunk: bytes = message.get("body", b"")
            if len(body) + len(chunk) > max_bytes:
                raise _too_large(max_bytes)
            share.add(len(chunk))
            if not message.get("more_body", False) and not body:
                return chunk
            body += chunk
            if not message.get("more_body", False):
                return body
            pace.add(len(chunk))
        if not pace.is_kept():
            raise TooSlow(f"the body arrives too slowly: {pace.rule}", headers={"Connection": "close"})


def check_media_type(content_type: str | None) -> None:
    """Raises UnsupportedMediaType unless the body is JSON in UTF-8. A body without Content-Type is taken as JSON."""
    if content_type is None or not content_type.strip():
        return
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [value.strip('"') for name, _, value in (p.partition("=") for p in parameters) if name == "charset"]
    json = re.fullmatch(r"application/(json|[^/]+\+json)", media_type)
    if not json or any(charset not in ("utf-8", "utf8", "us-ascii") for charset in charsets):
        raise UnsupportedMediaType(f"Content-Type: {format_value(content_type)} must be application/json in UTF-8")


def parse_body(operation: Operation, raw: bytes | bytearray, limits: JsonLimits) -> Any:
    """Return the JSON document in `raw`, or ABSENT if it is empty and the body is optional.

    limits: of the document to parse. A byte order mark is skipped. Raises TooLarge and Invalid (GEN-03, GEN-04).
    """
    body = operation.body
    if raw.startswith(codecs.BOM_UTF8):
        raw = raw[len(codecs.BOM_UTF8) :]
    if body is None or (not raw and not body.required):
        return ABSENT
    if not raw:
        raise Invalid("the body is empty; it must be a JSON document", code=error_codes.BODY_JSON, behaviour="GEN-04")
    limits.check(raw)
    return parse_json(raw, body.members)


def validate_body(
    operation: Operation, document: Any, first: int = 0, tolerate: Callable[[str], None] | None = None
) -> None:
    """Raises Invalid naming the member, its value and the rule that it violates.

    first: the index of the first item, if the document is a part of a list.
    tolerate: called with the pointer to the rule for a document that can be stored all the same, which is accepted then
    (F9). None: no violation is accepted.
    """
    if operation.body is None or document is ABSENT:
        return
    validator = operation.body.validators["application/json"]
    if not validator.is_valid(document):
        violation = validator.violation(document)
        where = join_path(moved_path(tuple(violation.path), first)) if violation else ""
        text = violation.text if violation else "is invalid"
        rule = operation.schema_path(_BODY_SCHEMA, validator.rule_path(violation) if violation else "")
        storable = operation.body.storable
        if tolerate is not None and storable is not None and storable.is_valid(document):
            tolerate(rule)
            return
        raise Invalid(
            f"{where or 'the body'}: {text}", code=error_codes.BODY_SCHEMA, field=where or None, schema_path=rule
        )


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"the body must be at most {max_bytes} bytes", headers={"Connection": "close"})
