"""Pages of a listing. Page keys hold the last item's sort values, so that changes between two requests neither skip nor
repeat other items (PAGE-17).

A page key has at most KEY_BYTES bytes, whatever is stored, since it becomes part of headers and URLs. Of a text that is
too long it holds only the beginning, and a digest of all sort values by which the last item is recognised. Should that
item be gone or changed, the next page starts at the beginning of the text: items may be repeated, but not skipped.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from storage import error_codes
from storage.catalog.environment import Limits
from storage.errors import Invalid
from storage.tables.conditions import Condition, equals, fixed_columns
from storage.tables.schema import TABLES
from storage.tables.transaction import ByteBudget, Reader, Selection

_TYPES: dict[str, type] = {"string": str, "int64": int, "bool": bool}
_CHECK_BYTES = 6
KEY_BYTES = 199
"""The maximum length of a page key."""
PAGE_BYTES = 7 * 2**19
"""The documents of a page of more than one item, as they are stored. A response has 4 MiB at most, and members beside
them (tams_server.http.page_bytes)."""
PAGE_KEY_TEXT = KEY_BYTES * 3 // 4 - _CHECK_BYTES
"""How long the JSON text of a page key's content may be, in bytes."""
_INT64 = range(-(2**63), 2**63)
_LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The page that is requested.

    limit: number of items; less than 1 means 1 (A06). None for the default.
    key: page key from the page before; None or empty for the first page.
    """

    limit: int | None = None
    key: str | None = None
    reverse: bool = False

    def size(self, limits: Limits) -> int:
        """The maximum number of items on the page (PAGE-07, PAGE-08)."""
        return limits.page_default if self.limit is None else max(1, min(self.limit, limits.page_max))


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing.

    items: documents. limit: the maximum number of items, as applied. next_key: page key of the next page; None on the
    last page.
    """

    items: list[Any]
    limit: int
    reverse: bool
    next_key: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a listing: by `columns`, of which the last is unique; `descending` unless reversed."""

    columns: tuple[str, ...]
    descending: bool = False


def select_page(
    tx: Reader,
    table: str,
    where: Sequence[Condition],
    order: Order,
    request: PageRequest,
    size: int,
    columns: Sequence[str] | None = None,
) -> tuple[list[Any], str | None]:
    """Select the rows of one page; with the key of the next page, None on the last.

    columns: those that the caller needs, by default all. Rows have those of the order too.

    Raises: Invalid for a page key that another listing issued, or none (PAGE-06).
    """
    descending = order.descending != request.reverse
    after = start_of_page(tx, table, where, order, request)
    if columns is not None:
        columns = tuple(dict.fromkeys((*columns, *order.columns)))
    how: Selection = {"order": order.columns, "descending": descending, "after": after, "columns": columns}
    rows, more = select_within(tx, table, where, how, size)
    return rows, key_after(rows[-1], table, where, order, request) if more else None


def start_of_page(
    tx: Reader, table: str, where: Sequence[Condition], order: Order, request: PageRequest
) -> list[Any] | None:
    """The values of the order's columns after which the page begins; None for the first page.

    Raises: Invalid for a page key that another listing issued, or none (PAGE-06).
    """
    if request.key is None:
        return None
    descending = order.descending != request.reverse
    fixed = fixed_columns(where)
    varying = [column for column in order.columns if column not in fixed]
    position = _decode_position(request.key, _listing(table, order, request), table, varying)
    values = dict(zip(varying, _sort_values(tx, table, varying, position, descending=descending), strict=True))
    return [fixed[column] if column in fixed else values[column] for column in order.columns]


def key_after(
    row: Mapping[str, Any], table: str, where: Sequence[Condition], order: Order, request: PageRequest
) -> str:
    """The key of the page that begins after a row of the listing."""
    fixed = fixed_columns(where)
    values = [row[column] for column in order.columns if column not in fixed]
    return _encode_position(values, _listing(table, order, request))


def _listing(table: str, order: Order, request: PageRequest) -> str:
    """What page keys are valid for."""
    return f"{table} {' '.join(order.columns)} {order.descending != request.reverse}"


def select_within(
    tx: Reader, table: str, where: Sequence[Condition], how: Selection, size: int
) -> tuple[list[Any], bool]:
    """Select the rows of one page, fewer than `size` if their documents are large; and whether there are more."""
    rows: list[Any] = []
    budget = ByteBudget(PAGE_BYTES)
    while not budget.is_spent and len(rows) <= size:
        wanted = size + 1 - len(rows)
        fetched = wanted if tx.max_fetched is None else min(wanted, tx.max_fetched)
        budget = ByteBudget(budget.max_bytes - budget.used)
        how = {**how, "limit": fetched, "budget": budget}
        found = tx.select(table, where, **how)
        rows += found
        if len(found) < fetched:
            break
        how = {**how, "after": [rows[-1][column] for column in how["order"]]}
    more = len(rows) > size or (budget.is_spent and len(rows) > 1)
    return rows[:-1] if more else rows, more


@dataclass(frozen=True, slots=True)
class _Position:
    """values: the sort values of the last item. digest: of all of them, if the texts in `values` have been cut."""

    values: list[Any]
    digest: str | None = None


def _sort_values(tx: Reader, table: str, columns: Sequence[str], position: _Position, *, descending: bool) -> list[Any]:
    """The sort values after which the page begins. columns: the last is the primary key if texts have been cut."""
    if position.digest is None:
        return position.values
    *others, id_ = position.values
    for row in tx.select(table, equals(**{columns[-1]: id_}), columns=list(columns), limit=1):
        values = [row[column] for column in columns]
        if _digest(values) == position.digest:
            return values
    if descending:
        others = [value + _LAST_CHARACTER if isinstance(value, str) else value for value in others]
    return [*others, id_]


def slice_page(items: list[dict[str, Any]], listing: str, request: PageRequest, size: int) -> Page:
    """One page of a short listing in memory, whose page keys are the ids of items.

    items: all documents, sorted, and reversed if requested. listing: a name that is unique to the listing.

    Raises: Invalid for a page key that another listing issued, or none (PAGE-06).
    """
    start = 0
    if request.key is not None:
        last = decode_page_key(request.key, listing)
        ids = [item["id"] for item in items]
        if last not in ids:
            raise unknown_page_key()
        start = ids.index(last) + 1
    chosen = items[start : start + size]
    more = start + size < len(items)
    return Page(chosen, size, request.reverse, encode_page_key(chosen[-1]["id"], listing) if more else None)


def _checksum(text: bytes, listing: str) -> bytes:
    return hashlib.blake2b(text, digest_size=_CHECK_BYTES, key=listing.encode()[:64]).digest()


def encode_page_key(content: Any, listing: str) -> str:
    """A page key of `listing` that holds `content`, whose JSON text has at most PAGE_KEY_TEXT bytes."""
    text = orjson.dumps(content)
    return base64.urlsafe_b64encode(_checksum(text, listing) + text).decode().rstrip("=")


def decode_page_key(key: str, listing: str) -> Any:
    """What a page key holds. Raises: Invalid if `listing` did not issue it (PAGE-06)."""
    if len(key) > KEY_BYTES:
        raise unknown_page_key()
    try:
        raw = base64.b64decode(key.encode("ascii") + b"=" * (-len(key) % 4), altchars=b"-_", validate=True)
        checksum, text = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        if checksum != _checksum(text, listing):
            raise unknown_page_key()
        return orjson.loads(text)
    except (UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError):
        raise unknown_page_key() from None


def _encode_position(values: list[Any], listing: str) -> str:
    """The page key after an item with these sort values, with texts cut if it would be too long."""
    if len(orjson.dumps(values)) <= PAGE_KEY_TEXT:
        return encode_page_key(values, listing)
    digest, *others, id_ = _digest(values), *values
    texts = [value for value in others if isinstance(value, str)]
    empty = ["" if isinstance(value, str) else value for value in others]
    most = (PAGE_KEY_TEXT - len(orjson.dumps([[*empty, id_], digest]))) // len(texts)
    cut = [beginning_of(value, most) if isinstance(value, str) else value for value in others]
    return encode_page_key([[*cut, id_], digest], listing)


def _decode_position(key: str, listing: str, table: str, columns: Sequence[str]) -> _Position:
    content = decode_page_key(key, listing)
    position = _Position(content)
    types = {column.name: _TYPES[column.type] for column in TABLES[table].columns if column.name in columns}
    expected = [types[name] for name in columns]
    if isinstance(content, list) and content and isinstance(content[0], list):
        may_be_cut = str in expected[:-1] and TABLES[table].key == (columns[-1],)
        if len(content) != 2 or not isinstance(content[1], str) or not may_be_cut:
            raise unknown_page_key()
        position = _Position(*content)
    values = position.values
    if not isinstance(values, list) or [type(value) for value in values] != expected:
        raise unknown_page_key()
    if any("\0" in value if isinstance(value, str) else value not in _INT64 for value in values):
        raise unknown_page_key()
    return position


def _digest(values: list[Any]) -> str:
    return base64.b64encode(hashlib.blake2b(orjson.dumps(values), digest_size=9).digest()).decode()


def beginning_of(text: str, most: int) -> str:
    """The longest beginning of `text` that takes at most `most` bytes in a JSON string."""
    end = min(len(text), most)
    while len(orjson.dumps(text[:end])) - len('""') > most:
        end -= 1
    return text[:end]


def unknown_page_key() -> Invalid:
    """The error for a page key that the listing did not issue."""
    return Invalid(
        "the page key was not issued by this listing; omit it to start from the first page",
        code=error_codes.PAGE_KEY,
        field="page_key",
        behaviour="PAGE-06",
    )
