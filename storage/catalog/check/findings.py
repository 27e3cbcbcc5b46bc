"""What a check may find, and how it reads: in pages, each by itself, however much there is."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from storage.catalog.environment import Environment
from storage.tables.engine import Row
from storage.tables.schema import TABLES

T = TypeVar("T")

MISSING_BYTES = "missing-bytes"
"""A segment names an object whose bytes are not where the catalogue says."""
UNKNOWN_BYTES = "unknown-bytes"
"""A backend has bytes that the catalogue knows nothing of."""
MISSING_OBJECT = "missing-object"
"""Something names an object that is not there."""
WRONG_COUNT = "wrong-count"
"""The recorded number of segments of a flow that name an object is not that of the segments."""
WRONG_EXPIRY = "wrong-expiry"
"""An object in use is to be collected, or one that nothing names never is."""
WRONG_CONTENT = "wrong-content"
"""A flow has segments outside of the time in which its row says that it has any."""
UNCHECKED_BACKEND = "unchecked-backend"
"""A backend could not be compared: it is out of reach, or not configured."""

_PAGE = 1000
_IDS = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. detail: a sentence for people. repaired: it was mended, or will be by a worker."""

    kind: str
    detail: str
    object_id: str | None = None
    storage_id: str | None = None
    flow_id: str | None = None
    repaired: bool = False


Progress = Callable[[str, int], None]
"""Told what is being read, and how many items of it were read in all."""


def pages(env: Environment, table: str, columns: Sequence[str] | None = None) -> Iterator[list[Row]]:
    """All rows of a table in the order of its key, each page read by itself. columns: beside the key; default all."""
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
    """The items, as many at a time as go into one query."""
    rest = iter(items)
    while batch := list(islice(rest, _IDS)):
        yield batch
