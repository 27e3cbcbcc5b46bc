"""Pages of a listing. Page keys hold the last item's sort values, so that changes between two requests neither skip nor
repeat other items (PAGE-17)."""

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
from storage.tables.engine import Reader
from storage.tables.schema import TABLES

_TYPES: dict[str, type] = {"string": str, "int64": int, "bool": bool}
_CHECK_BYTES = 6


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The page that is requested.

    limit: number of items, at least 1; None for the default.
    key: page key from the page before; None for the first page.
    """

    limit: int | None = None
    key: str | None = None
    reverse: bool = False

    def size(self, limits: Limits) -> int:
        """The maximum number of items on the page (PAGE-07, PAGE-08)."""
        return limits.page_default if self.limit is None else min(self.limit, limits.page_max)


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

    Raises: Invalid for a page key that another listing issued, or none (PAGE-06).
    """
    descending = order.descending != request.reverse
    listing = f"{table} {' '.join(order.columns)} {descending}"
    after = None if request.key is None else _decode_columns(request.key, listing, table, order.columns)
    rows = tx.select(
        table, where, order=order.columns, descending=descending, after=after, limit=size + 1, columns=columns
    )
    if len(rows) <= size:
        return rows, None
    rows.pop()
    return rows, _encode([rows[-1][column] for column in order.columns], listing)


def slice_page(items: list[dict[str, Any]], listing: str, request: PageRequest, size: int) -> Page:
    """One page of a short listing in memory, whose page keys are the ids of items.

    items: all documents, sorted, and reversed if requested. listing: a name that is unique to the listing.

    Raises: Invalid for a page key that another listing issued, or none (PAGE-06).
    """
    start = 0
    if request.key is not None:
        last = _decode(request.key, listing)
        ids = [item["id"] for item in items]
        if len(last) != 1 or last[0] not in ids:
            raise _unknown_key()
        start = ids.index(last[0]) + 1
    chosen = items[start : start + size]
    more = start + size < len(items)
    return Page(chosen, size, request.reverse, _encode([chosen[-1]["id"]], listing) if more else None)


def _checksum(text: bytes, listing: str) -> bytes:
    return hashlib.blake2b(text, digest_size=_CHECK_BYTES, key=listing.encode()[:64]).digest()


def _encode(values: list[Any], listing: str) -> str:
    text = orjson.dumps(values)
    return base64.urlsafe_b64encode(_checksum(text, listing) + text).decode().rstrip("=")


def _decode(key: str, listing: str) -> list[Any]:
    try:
        raw = base64.b64decode(key.encode("ascii") + b"=" * (-len(key) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise _unknown_key() from None
    checksum, text = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
    if checksum != _checksum(text, listing):
        raise _unknown_key()
    values: list[Any] = orjson.loads(text)
    return values


def _decode_columns(key: str, listing: str, table: str, columns: tuple[str, ...]) -> list[Any]:
    values = _decode(key, listing)
    types = {column.name: _TYPES[column.type] for column in TABLES[table].columns if column.name in columns}
    if [type(value) for value in values] != [types[name] for name in columns]:
        raise _unknown_key()
    return values


def _unknown_key() -> Invalid:
    return Invalid(
        "the page key was not issued by this listing; omit it to start from the first page",
        field="page_key",
        behaviour="PAGE-06",
    )
