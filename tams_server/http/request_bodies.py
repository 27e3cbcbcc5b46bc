"""Request bodies: read up to a maximum size, parsed as JSON that can be stored and returned unchanged, validated."""

import asyncio
import codecs
import re
from typing import Any

import orjson
from starlette.types import Receive, Scope

from handlers.shared.call import ABSENT
from storage.errors import Invalid
from tams_server.errors import ClientDisconnected, TooLarge, TooSlow, UnsupportedMediaType
from tams_server.http.headers import header
from tams_server.specification.explain import format_value, is_secret
from tams_server.specification.operations import Operation

MAX_DEPTH = 64
STALL_TIMEOUT_S = 30
_INT64_END = 2**63
_UNCOMMON_NUMBER = re.compile(rb"[:\[,]\s*-?[0-9]+(?:[.eE]|[0-9]{17})|^\s*-?[0-9]+(?:[.eE]|[0-9]{17})")
"""A number that is not a plain integer of at most 17 digits."""


async def read_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """Return the body.

    Raises TooLarge (before reading, if Content-Length says so), TooSlow if the client sends nothing for
    STALL_TIMEOUT_S seconds, and ClientDisconnected.
    """
    declared = header(scope, b"content-length")
    if declared is not None and declared.isdigit() and int(declared.lstrip("0")[:18] or "0") > max_bytes:
        raise _too_large(max_bytes)
    chunks: list[bytes] = []
    size = 0
    while True:
        try:
            async with asyncio.timeout(STALL_TIMEOUT_S):
                message = await receive()
        except TimeoutError:
            detail = f"no part of the body was received for {STALL_TIMEOUT_S} seconds"
            raise TooSlow(detail, headers={"Connection": "close"}) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def check_media_type(content_type: str | None) -> None:
    """Raises UnsupportedMediaType unless the body is JSON in UTF-8. A body without Content-Type is taken as JSON."""
    if content_type is None or not content_type.strip():
        return
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [value.strip('"') for name, _, value in (p.partition("=") for p in parameters) if name == "charset"]
    json = re.fullmatch(r"application/(json|[^/]+\+json)", media_type)
    if not json or any(charset not in ("utf-8", "utf8", "us-ascii") for charset in charsets):
        raise UnsupportedMediaType(f"Content-Type: {format_value(content_type)} must be application/json in UTF-8")


def parse_body(operation: Operation, raw: bytes) -> Any:
    """Return the JSON document in `raw`, or ABSENT if it is empty and the body is optional.

    A byte order mark is skipped. A float without a fraction (5.0) becomes an int, as JSON Schema takes it for one.
    Raises Invalid (GEN-03, GEN-04).
    """
    body = operation.body
    raw = raw.removeprefix(codecs.BOM_UTF8)
    if body is None or (not raw and not body.required):
        return ABSENT
    if not raw:
        raise Invalid("the body is empty; it must be a JSON document", behaviour="GEN-04")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"the body is not valid JSON: {error}", behaviour="GEN-03") from None
    if _is_too_deep(document):
        raise Invalid(f"the body nests more than {MAX_DEPTH} levels deep")
    if _UNCOMMON_NUMBER.search(raw):
        document = _storable_body(document, body.members)
    return document


def validate_body(operation: Operation, document: Any) -> None:
    """Raises Invalid naming the member, its value and the rule that it violates."""
    if operation.body is None or document is ABSENT:
        return
    validator = operation.body.validators["application/json"]
    if not validator.is_valid(document):
        violation = validator.violation(document)
        where = violation.field if violation else ""
        text = violation.text if violation else "is invalid"
        raise Invalid(f"{where or 'the body'}: {text}", field=where or None)


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"the body must be at most {max_bytes} bytes", headers={"Connection": "close"})


def _is_too_deep(document: Any) -> bool:
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _storable_body(document: Any, members: frozenset[str]) -> Any:
    """Return a body with numbers that can be stored. Members that are not among `members` are not stored (A21)."""
    if isinstance(document, dict) and members:
        return {name: _storable(value, name) if name in members else value for name, value in document.items()}
    if isinstance(document, list) and members:
        return [
            {name: _storable(value, f"{index}.{name}") if name in members else value for name, value in item.items()}
            if isinstance(item, dict)
            else _storable(item, str(index))
            for index, item in enumerate(document)
        ]
    return _storable(document, "")


def _storable(node: Any, path: str) -> Any:
    """Return `node` with integral floats as int. Raises Invalid for integers that databases cannot store."""
    if isinstance(node, dict):
        return {_storable(key, _join(path, key)): _storable(value, _join(path, key)) for key, value in node.items()}
    if isinstance(node, list):
        return [_storable(value, _join(path, str(index))) for index, value in enumerate(node)]
    if isinstance(node, float) and node.is_integer() and abs(node) < _INT64_END:
        return int(node)
    # orjson reads integers beyond 64 bits as floats.
    too_large = abs(node) >= _INT64_END if isinstance(node, float) else isinstance(node, int) and node >= _INT64_END
    if too_large:
        number = "the number" if is_secret(path.split(".")) else format_value(node)
        raise Invalid(f"{path or 'the body'}: {number} is outside the range of a 64-bit integer", field=path or None)
    return node


def _join(path: str, name: str) -> str:
    """Return the path of a member, or `path` itself if it is secret: names inside a secret must not be shown."""
    if is_secret(path.split(".")):
        return path
    return f"{path}.{name}" if path else name
