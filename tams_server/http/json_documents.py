"""JSON documents that can be parsed at a bounded cost, stored and returned unchanged."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from storage.errors import Invalid
from tams_server import error_codes
from tams_server.errors import TooLarge
from tams_server.specification.explain import format_value, is_secret, join_path

MAX_DEPTH: Final = 64
_INT64_END = 2**63
_CONVERTED = frozenset((float, int, dict, list))

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """The largest document that is parsed: its bytes, and the number of its items, members, and lists and objects.

    The numbers are those of commas, colons and opening brackets, of which some may be within texts. They bound the
    time and memory for parsing and for all that follows, which bytes alone do not: 16 MiB of "[],[]," take 0.4 GB.
    """

    max_bytes: int
    max_items: int
    max_members: int
    max_containers: int

    def check(self, raw: bytes | bytearray) -> None:
        """Raises TooLarge."""
        for number, most, what in (
            (len(raw), self.max_bytes, "bytes"),
            (raw.count(b","), self.max_items, "items and members"),
            (raw.count(b":"), self.max_members, "members"),
            (raw.count(b"[") + raw.count(b"{"), self.max_containers, "lists and objects"),
        ):
            if number > most:
                raise TooLarge(f"the body must have at most {most} {what}, not {number}")


DOCUMENT: Final = JsonLimits(max_bytes=2 * 2**20, max_items=600_000, max_members=100_000, max_containers=100_000)
"""One flow, profile, webhook, or member of one. What is stored of it has at most 60,000 bytes, but it may have spaces,
escaped characters, and members that are dropped (A21)."""
BULK: Final = JsonLimits(max_bytes=16 * 2**20, max_items=600_000, max_members=400_000, max_containers=100_000)
"""A list of documents: 10,000 segments of up to 40 members and 10 URLs."""


def parse_json(raw: bytes | bytearray, members: frozenset[str]) -> Any:
    """Return the document in `raw` as it can be stored (`storable`). Raises Invalid (GEN-03)."""
    return storable(load_json(raw), members)


def load_json(raw: bytes | bytearray) -> Any:
    """Return the document in `raw`. Raises Invalid (GEN-03)."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"the body is not valid JSON: {error}", code=error_codes.BODY_JSON, behaviour="GEN-03") from None


def storable(document: Any, members: frozenset[str], first: int = 0) -> Any:
    """Return the document with its numbers as they can be stored.

    A float without a fraction (5.0) becomes an int, as JSON Schema takes it for one.
    members: the names of the members that are stored; the numbers in others are left as they are (A21). Empty for all.
    first: the index of the first item, if the document is a part of a list.
    Raises Invalid (GEN-03).
    """
    return _storable_body(document, members, first) if _has_uncommon_number(document) else document


def _has_uncommon_number(document: Any) -> bool:
    """Return whether the document contains a float, or an integer beyond 64 bits with sign. Raises Invalid if too deep.

    Looks at a level of the document at a time, at the types of whole lists and objects rather than at each value.
    """
    level: list[Any] = [[document]]
    uncommon = False
    for _ in range(MAX_DEPTH + 2):
        inner: list[Any] = []
        for node in level:
            values = node.values() if type(node) is dict else node
            types = set(map(type, values))
            if float in types or (int in types and any(v >= _INT64_END for v in values if type(v) is int)):
                uncommon = True
            if dict in types or list in types:
                inner += [value for value in values if type(value) is dict or type(value) is list]
        if not inner:
            return uncommon
        level = inner
    raise Invalid(f"the body nests more than {MAX_DEPTH} levels deep", code=error_codes.BODY_JSON)


class _OutOfRangeError(Exception):
    """A number is outside the range of a 64-bit integer."""


def _storable_body(document: Any, members: frozenset[str], first: int) -> Any:
    """Return a body with numbers that can be stored. Members that are not among `members` are not stored (A21)."""
    try:
        if isinstance(document, list):
            return [_storable_members(item, members) for item in document]
        return _storable_members(document, members)
    except _OutOfRangeError:
        path, number = next(_out_of_range(document, (), members))
        raise _range_error(moved_path(path, first), number) from None


def _storable_members(node: Any, members: frozenset[str]) -> Any:
    if isinstance(node, dict) and members:
        return {name: _storable(value) if name in members else value for name, value in node.items()}
    return _storable(node)


def _storable(node: Any) -> Any:
    """Return `node` with integral floats as int. Raises _OutOfRangeError for integers that databases cannot store."""
    kind = type(node)
    if kind is float:
        if not node.is_integer():
            return node
        # orjson reads integers beyond 64 bits as floats.
        if abs(node) >= _INT64_END:
            raise _OutOfRangeError
        return int(node)
    if kind is int and node >= _INT64_END:
        raise _OutOfRangeError
    if kind is dict:
        return {name: _storable(value) if type(value) in _CONVERTED else value for name, value in node.items()}
    if kind is list:
        return [_storable(value) if type(value) in _CONVERTED else value for value in node]
    return node


def _out_of_range(node: Any, path: Path, members: frozenset[str]) -> Iterator[tuple[Path, float]]:
    """Yield the path and value of every number that cannot be stored. members: those of the body that are stored."""
    if isinstance(node, dict):
        for name, value in node.items():
            if (not members or name in members) and type(value) in _CONVERTED:
                yield from _out_of_range(value, (*path, name), frozenset())
    elif isinstance(node, list):
        for index, value in enumerate(node):
            if type(value) in _CONVERTED:
                yield from _out_of_range(value, (*path, index), frozenset() if path else members)
    elif isinstance(node, int | float) and abs(node) >= _INT64_END:
        yield path, node


def moved_path(path: Path, first: int) -> Path:
    """Return the path in a list of which a part was looked at. first: the index of the first item of the part."""
    return (path[0] + first, *path[1:]) if path and isinstance(path[0], int) else path


def _range_error(path: Path, number: float) -> Invalid:
    """Return the error about a number. Names inside a secret member must not be shown."""
    secret = next((index for index, name in enumerate(path) if is_secret((name,))), None)
    shown = path if secret is None else path[: secret + 1]
    field = join_path(shown)
    value = "the number" if secret is not None else format_value(number)
    return Invalid(
        f"{field or 'the body'}: {value} is outside the range of a 64-bit integer",
        code=error_codes.BODY_JSON,
        field=field or None,
    )
