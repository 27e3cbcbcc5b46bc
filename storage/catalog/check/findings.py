"""The findings that a check can make, and reads of whole tables in pages."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from storage.catalog.environment import Environment
from storage.tables.schema import TABLES
from storage.tables.transaction import Row

T = TypeVar("T")

DAMAGED_DATABASE = "damaged-database"
"""The database finds what it has stored damaged."""
MISSING_BYTES = "missing-bytes"
"""The bytes of an object in use are not where the catalogue says."""
UNKNOWN_BYTES = "unknown-bytes"
"""A storage backend has bytes that the catalogue does not know."""
MISSING_OBJECT = "missing-object"
"""A segment or an object refers to an object that does not exist."""
WRONG_COUNT = "wrong-count"
"""The recorded number of references from a flow's segments to an object differs from the actual number."""
WRONG_EXPIRY = "wrong-expiry"
"""An object in use is due for garbage collection, or an unreferenced one will never be."""
WRONG_CONTENT = "wrong-content"
"""The content range that a flow's row records, or its outline, does not fit its segments."""
WRONG_TIMES = "wrong-times"
"""A segment overlaps the one before it in its flow, or ends before it begins."""
WRONG_TAGS = "wrong-tags"
"""The rows by which listings find a tag are not those of the tags of their flow, source, webhook or segment."""
LEFT_NUMBERS = "left-numbers"
"""The catalogue has the number of a segment in live playlists of a flow that does not exist."""
WRONG_USAGE = "wrong-usage"
"""The recorded bytes of a principal differ from those that its instances are charged."""
UNCHARGED_BYTES = "uncharged-bytes"
"""Bytes of objects of a known principal are charged to nobody, although there is a quota."""
UNCHECKED_BACKEND = "unchecked-backend"
"""A storage backend could not be checked, since it is unavailable or not configured."""

_PAGE = 1000
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """One error. kind: one of the constants above. detail: a sentence for an operator. repaired: it was repaired, or a
    scheduled job will repair it."""

    kind: str
    detail: str
    object_id: str | None = None
    storage_id: str | None = None
    flow_id: str | None = None
    repaired: bool = False


Progress = Callable[[str, int], None]
"""Called with what is being read and the number of items read so far."""


def pages(env: Environment, table: str, columns: Sequence[str] | None = None) -> Iterator[list[Row]]:
    """Yield all rows of a table in pages, by primary key, each page read in a transaction of its own.

    columns: to read besides the primary key; all by default.
    """
    key = TABLES[table].key
    wanted = None if columns is None else [*key, *columns]
    after: list[Any] | None = None
    while True:
        with env.engine.read() as tx:
            rows = tx.select(table, order=key, after=after, limit=_PAGE, columns=wanted)
        if rows:
            yield rows
        if len(rows) < _PAGE:
            return
        after = [rows[-1][name] for name in key]


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Yield the items in batches small enough for one query."""
    rest = iter(items)
    while batch := list(islice(rest, _BATCH)):
        yield batch
