"""Pages of a listing: by key, so that what comes and goes between two pages hides or repeats nothing (PAGE-17)."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from storage.catalog.environment import Limits
from storage.errors import Invalid
from storage.tables.conditions import Condition
from storage.tables.engine import Reader, Row
from storage.tables.schema import TABLES

_TYPES: dict[str, type] = {"string": str, "int64": int, "bool": bool}
_CHECK_BYTES = 6


@dataclass(frozen=True, slots=True)
class PageRequest:
    """limit: items wanted, at least 1, or None for the default. key: the `page` parameter."""

    limit: int | None = None
    key: str | None = None
    reverse: bool = False

    def size(self, limits: Limits) -> int:
        """How many items the page holds at most (PAGE-07, PAGE-08)."""
        return limits.page_default if self.limit is None else min(self.limit, limits.page_max)


@dataclass(frozen=True, slots=True)
class Page:
    """items: documents; next_key: the `page` parameter of the next page, None on the last."""

    items: list[Any]
    limit: int
    reverse: bool
    next_key: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """How a listing is sorted: by `columns` (the last one tells rows apart), `descending` unless reversed."""

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
) -> tuple[list[Row], str | None]:
    """The rows of one page and the key of the next. Raises Invalid for a key that no such listing gave out."""
    descending = order.descending != request.reverse
    listing = f"{table} {' '.join(order.columns)} {descending}"
    after = None if request.key is None else _decode(request.key, listing, table, order.columns)
    rows = tx.select(
        table, where, order=order.columns, descending=descending, after=after, limit=size + 1, columns=columns
    )
    if len(rows) <= size:
        return rows, None
    rows.pop()
    return rows, _encode([rows[-1][column] for column in order.columns], listing)


def slice_page(items: list[dict[str, Any]], listing: str, request: PageRequest, size: int) -> Page:
    """A page of a short listing that is held in memory, sorted and reversed already; its key is an item's id."""
    start = 0
    if request.key is not None:
        last = _decode_values(request.key, listing)
        ids = [item["id"] for item in items]
        if len(last) != 1 or last[0] not in ids:
            raise _foreign()
        start = ids.index(last[0]) + 1
    chosen = items[start : start + size]
    more = start + size < len(items)
    return Page(chosen, size, request.reverse, _encode([chosen[-1]["id"]], listing) if more else None)


def _check(text: bytes, listing: str) -> bytes:
    return hashlib.blake2b(text, digest_size=_CHECK_BYTES, key=listing.encode()[:64]).digest()


def _encode(values: list[Any], listing: str) -> str:
    text = orjson.dumps(values)
    return base64.urlsafe_b64encode(_check(text, listing) + text).decode().rstrip("=")


def _foreign() -> Invalid:
    return Invalid(
        "page is not a key that this listing gave out; leave it out to start again", field="page", behaviour="PAGE-06"
    )


def _decode_values(key: str, listing: str) -> list[Any]:
    try:
        raw = base64.b64decode(key.encode("ascii") + b"=" * (-len(key) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise _foreign() from None
    check, text = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
    if check != _check(text, listing):
        raise _foreign()
    values: list[Any] = orjson.loads(text)
    return values


def _decode(key: str, listing: str, table: str, columns: tuple[str, ...]) -> list[Any]:
    values = _decode_values(key, listing)
    types = {column.name: _TYPES[column.type] for column in TABLES[table].columns if column.name in columns}
    if [type(value) for value in values] != [types[name] for name in columns]:
        raise _foreign()
    return values
