"""Which rows a transaction selects, and how many of them."""

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

from storage.tables.conditions import Condition

Row = dict[str, Any]
"""A row of any table."""
Where = Sequence[Condition]
"""Conditions that must all hold."""


class ByteBudget:
    """The bytes of documents that a selection may return, as the database stores them.

    is_spent: whether it returned no more rows because their documents have more bytes, the last one included.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.used = 0

    @property
    def is_spent(self) -> bool:
        return self.used > self.max_bytes

    def start(self) -> None:
        """Count from the beginning: an engine may select rows in more than one way."""
        self.used = 0

    def take_all(self, size: int) -> bool:
        """Count rows that have `size` bytes together, if that does not spend the budget. Returns whether that is so."""
        fits = self.used + size <= self.max_bytes
        if fits:
            self.used += size
        return fits

    def take(self, sizes: Iterable[int]) -> int:
        """Count rows of these sizes until the budget is spent, and return their number."""
        count = 0
        for size in sizes:
            if self.is_spent:
                break
            self.used += size
            count += 1
        return count


class Selection(TypedDict, total=False):
    """Which of the matching rows `select` returns, and how.

    order: columns to sort by, all in one direction. descending: whether from the greatest down.
    after: values of the `order` columns; only rows that sort after them are returned (paging by key).
    limit: the largest number of rows. columns: the columns to return, by default all.
    budget: rows are returned until it is spent.
    """

    order: Sequence[str]
    descending: bool
    after: Sequence[Any] | None
    limit: int | None
    columns: Sequence[str] | None
    budget: ByteBudget | None
