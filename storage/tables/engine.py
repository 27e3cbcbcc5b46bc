"""The seam between the rules and the databases: an Engine opens transactions, and these read and write rows.

Rows are dicts from column name to str, int, bool, None or, in columns of type "json", any JSON value.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from storage.tables.conditions import Condition

Row = dict[str, Any]
T = TypeVar("T")


class Reader(Protocol):
    """A view of the tables. Every method may raise storage.errors.Unavailable."""

    def get(self, table: str, **key: Any) -> Row | None:
        """The row whose key columns have these values."""
        ...

    def select(
        self,
        table: str,
        where: Sequence[Condition] = (),
        *,
        order: Sequence[str] = (),
        descending: bool = False,
        after: Sequence[Any] | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> list[Row]:
        """The rows that meet all of `where`, sorted by the columns `order`, all of them in one direction.

        after: values of the `order` columns; only rows that come after them are given (paging by key).
        limit: at most so many rows. columns: only these (default all).
        """
        ...


class Writer(Reader, Protocol):
    """A transaction that sees its own changes; others see all of them or none, once it ends without an exception."""

    def lock(self, *names: str) -> None:
        """Wait for, and keep out until the end, other writers that lock any of these names ("flow:<id>").

        To be called once, before the first read on which a change depends.
        """
        ...

    def select_unlocked(
        self, table: str, where: Sequence[Condition], *, order: Sequence[str] = (), limit: int | None = None
    ) -> list[Row]:
        """Rows as `select` gives them, for this transaction to change, and no other at the same time.

        Never waits for a row. Those that another transaction holds are left out where the engine can tell; elsewhere
        writers come one after another, or who is second to change a row gets storage.errors.Contended.
        """
        ...

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]], *, fresh: bool = False) -> None:
        """Add rows; columns left out are null. Raises storage.errors.Conflict where a key is already taken.

        fresh: the caller knows that no key is, and an engine need not look.
        """
        ...

    def update(self, table: str, where: Sequence[Condition], values: Mapping[str, Any]) -> int:
        """Set columns in all rows that meet `where`; the number of them."""
        ...

    def delete(self, table: str, where: Sequence[Condition]) -> int:
        """Remove all rows that meet `where`; the number of them."""
        ...


class Engine(Protocol):
    """A database that holds the tables of storage.tables.schema. Safe to share between threads and across fork."""

    def create(self) -> None:
        """Make the tables that are not there yet. Safe to call again, and from several processes at once."""
        ...

    def read(self) -> AbstractContextManager[Reader]:
        """A read transaction: a view at one moment."""
        ...

    def read_once(self) -> AbstractContextManager[Reader]:
        """For one question, or several that have nothing to do with each other: each answer may be of a moment of its
        own, which saves what a transaction costs."""
        return self.read()

    def read_under(self, lock: str, read: Callable[[Reader], T]) -> T:
        """What `read` gives, of one moment. It may be called again, where the tables changed meanwhile.

        lock: what writers lock who change the rows that are asked for ("flow:<id>"). `read` asks for the row that it
        names first; of rows that others change too it may ask one question only.
        """
        with self.read() as tx:
            return read(tx)

    def write(self) -> AbstractContextManager[Writer]:
        """A write transaction: durable once the block ends, undone where it raises."""
        ...

    def close(self) -> None:
        """Give up all connections."""
        ...
