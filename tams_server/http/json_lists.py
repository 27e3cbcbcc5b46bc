"""Long lists of documents, parsed and validated in parts: a list is rejected at its first invalid item, for the cost of
what comes before it.

The parts are cut where an item seems to end. A cut is right exactly if the part before it is a list in JSON: within a
text, an item or a list of an item, something would be left open.
"""

import codecs
import functools
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

from storage import error_codes
from storage.errors import Invalid
from tams_server.errors import TooLarge
from tams_server.http.json_documents import DOCUMENT, load_json, storable
from tams_server.http.request_bodies import validate_body
from tams_server.specification.operations import Operation

PART_BYTES: Final = 256 * 1024
_ATTEMPTS = 8
"""Cuts that are tried for one part."""
_BETWEEN_OBJECTS = re.compile(rb"(?<=\})[ \t\r\n]*+,[ \t\r\n]*+(?=\{)")
_BETWEEN_ANY = re.compile(rb",")
_PARTS_OF_CHARACTERS = bytes(range(128, 256))
_LONGEST_TOKEN = len(rb"\uD83D\uDE00")  # of JSON, a text apart; it may be cut off
_BEGINNING = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*+\[")

Raw = bytes | bytearray


def is_long_list(raw: Raw) -> bool:
    """Whether a body is a list that is worth parsing in parts."""
    return len(raw) > PART_BYTES and _BEGINNING.match(raw) is not None


def parse_list(operation: Operation, raw: Raw, tolerate: Callable[[str], None] | None = None) -> list[Any]:
    """Return the valid documents in a long list (`is_long_list`), without the members that are not stored (A21).

    tolerate: as for `validate_body`.

    Raises Invalid (GEN-03), naming the first item at fault, or for too many items, and TooLarge for an item that is
    longer than one document may be.
    """
    assert operation.body is not None
    members, most = operation.body.members, operation.body.most_items
    documents: list[Any] = []
    for part in _parts(raw, members):
        if most is not None and len(documents) + len(part) > most:
            raise Invalid(f"the body must have at most {most} items", code=error_codes.TOO_MANY_ITEMS)
        items = storable(part, members, first=len(documents))
        validate_body(operation, items, first=len(documents), tolerate=tolerate)
        documents += (_stored(item, members) for item in items)
    return documents


def _stored(item: dict[str, Any], members: frozenset[str]) -> dict[str, Any]:
    if not members or item.keys() <= members:
        return item
    return {name: value for name, value in item.items() if name in members}


def _parts(raw: Raw, members: frozenset[str]) -> Iterator[list[Any]]:
    """Yield lists that together have the items of the whole list, in their order."""
    beginning = _BEGINNING.match(raw)
    assert beginning is not None
    start = beginning.end()
    while len(raw) - start > PART_BYTES:
        found = _first_part(raw, start, members)
        if found is None:
            break
        part, start = found
        yield part
    if len(raw) - start > DOCUMENT.max_bytes:
        _check_json(raw, start)
        raise TooLarge(f"the body must be a list of objects with at most {DOCUMENT.max_bytes} bytes each")
    try:
        rest = load_json(b"[" + raw[start:])
    except Invalid:
        load_json(raw.removeprefix(codecs.BOM_UTF8))  # the error names the place in the whole body
        raise
    yield rest


def _first_part(raw: Raw, start: int, members: frozenset[str]) -> tuple[list[Any], int] | None:
    """Return the items from `start` on, in about PART_BYTES, and where the next one starts; None if no cut is found."""
    for pattern in (_between_items(members), _BETWEEN_OBJECTS, _BETWEEN_ANY):
        position = start + PART_BYTES
        for _ in range(_ATTEMPTS):
            cut = pattern.search(raw, position, start + DOCUMENT.max_bytes)
            if cut is None:
                break
            try:
                return load_json(b"[" + raw[start : cut.start()] + b"]"), cut.end()
            except Invalid:
                position = cut.end()
    return None


def _check_json(raw: Raw, start: int) -> None:
    """Raises Invalid if the JSON is broken within the item at `start`, which is too long to be parsed as a whole."""
    beginning = (b"[" + raw[start : start + DOCUMENT.max_bytes]).rstrip(_PARTS_OF_CHARACTERS)
    try:
        orjson.loads(beginning)
    except orjson.JSONDecodeError as error:
        if error.pos < len(beginning) - _LONGEST_TOKEN:
            load_json(raw.removeprefix(codecs.BOM_UTF8))  # its error names the place in the whole body


@functools.cache
def _between_items(members: frozenset[str]) -> re.Pattern[bytes]:
    """Return what stands between two objects, of which the second begins with one of the members."""
    names = b"|".join(re.escape(name.encode()) for name in sorted(members))
    return re.compile(rb'(?<=\})[ \t\r\n]*+,[ \t\r\n]*+(?=\{[ \t\r\n]*+"(?:%b)")' % names)
