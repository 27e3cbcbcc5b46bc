"""Reads request bodies: whole, up to a set size, as JSON that can be kept and given back."""

import asyncio
import re
from typing import Any

import orjson
from starlette.types import Receive, Scope

from handlers.shared.call import ABSENT
from storage.errors import Invalid
from tams_server.errors import TooLarge, TooSlow, UnsupportedMediaType
from tams_server.specification.explain import is_secret, shown
from tams_server.specification.operations import Operation

MAX_DEPTH = 64
STALL_S = 30
_INT64 = 2**63
_UNCOMMON_NUMBER = re.compile(rb"[:\[,]\s*-?[0-9]+(?:[.eE]|[0-9]{17})|^\s*-?[0-9]+(?:[.eE]|[0-9]{17})")
_NUL = b"\\u0000"


class ClientDisconnected(Exception):
    """The client went away before its request was complete; nobody is there to be answered."""


async def read_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """The bytes of the body. Raises TooLarge, before reading them where their number is announced, and TooSlow
    where they stop coming."""
    announced = header(scope, b"content-length")
    if announced is not None and announced.isdigit() and int(announced[:18]) > max_bytes:
        raise _too_large(max_bytes)
    chunks: list[bytes] = []
    size = 0
    while True:
        try:
            async with asyncio.timeout(STALL_S):
                message = await receive()
        except TimeoutError:
            raise TooSlow(f"no byte of the body came for {STALL_S} seconds", headers={"Connection": "close"}) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def header(scope: Scope, name: bytes) -> str | None:
    """The value of a header given by its lower-case name."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def check_media_type(content_type: str | None) -> None:
    """Raises UnsupportedMediaType for a body that says it is not JSON; one that says nothing counts as JSON."""
    if content_type is None or not content_type.strip():
        return
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [value.strip('"') for name, _, value in (p.partition("=") for p in parameters) if name == "charset"]
    json = re.fullmatch(r"application/(json|[^/]+\+json)", media_type)
    if not json or any(charset not in ("utf-8", "utf8", "us-ascii") for charset in charsets):
        raise UnsupportedMediaType(f"Content-Type: {shown(content_type)} must be application/json, in UTF-8")


def parse_body(operation: Operation, raw: bytes) -> Any:
    """The JSON document in `raw`, or ABSENT where there is none and none is needed. Raises Invalid (GEN-03, GEN-04).

    Whole numbers that came as 5.0 are made int, so that they are stored and given back as what the schema calls them.
    """
    body = operation.body
    if body is None or (not raw and not body.required):
        return ABSENT
    if not raw:
        raise Invalid("the body is empty; a JSON document is required", behaviour="GEN-04")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"the body is not JSON that can be read: {error}", behaviour="GEN-03") from None
    if _too_deep(document):
        raise Invalid(f"the body nests more than {MAX_DEPTH} levels deep")
    if _NUL in raw or _UNCOMMON_NUMBER.search(raw):
        document = _storable(document, "")
    return document


def validate_body(operation: Operation, document: Any) -> None:
    """Raises Invalid naming the member, its value and the rule it breaks."""
    if operation.body is None or document is ABSENT:
        return
    validator = operation.body.validators["application/json"]
    if not validator.is_valid(document):
        complaint = validator.complaint(document)
        where = complaint.field if complaint else ""
        text = complaint.text if complaint else "is invalid"
        raise Invalid(f"{where or 'the body'}: {text}", field=where or None)


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"the body has more than {max_bytes} bytes", headers={"Connection": "close"})


def _too_deep(document: Any) -> bool:
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


def _storable(node: Any, path: str) -> Any:
    """`node` with whole floats as int. Raises Invalid for what no store can keep: NUL, numbers beyond int64."""
    if isinstance(node, dict):
        return {_storable(key, _inside(path, key)): _storable(value, _inside(path, key)) for key, value in node.items()}
    if isinstance(node, list):
        return [_storable(value, _inside(path, str(index))) for index, value in enumerate(node)]
    if isinstance(node, str) and "\0" in node:
        named = path.replace("\0", "?")
        raise Invalid(f"{named or 'the body'}: text may not hold the character U+0000", field=named or None)
    if isinstance(node, float) and node.is_integer() and abs(node) < _INT64:
        return int(node)
    # A float this large stands for a whole number that JSON may have written out in full.
    too_large = abs(node) >= _INT64 if isinstance(node, float) else isinstance(node, int) and node >= _INT64
    if too_large:
        number = "the number" if is_secret(path.split(".")) else shown(node)
        raise Invalid(f"{path or 'the body'}: {number} is beyond the range of a 64-bit integer", field=path or None)
    return node


def _inside(path: str, name: str) -> str:
    """The path of a part of what is at `path`; the same where the names of its parts must not be shown either."""
    if is_secret(path.split(".")):
        return path
    return f"{path}.{name}" if path else name
