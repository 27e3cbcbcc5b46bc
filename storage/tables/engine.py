"""The seam between the rules and the databases: an Engine opens transactions (storage.tables.transaction)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

from storage.tables.transaction import Reader, Writer

T = TypeVar("T")


class Engine(ABC):
    """A database that holds the tables of storage.tables.schema. Safe to share between threads and across fork.

    reads_at_once: most reads take microseconds and wait for nothing, so that they may be tried within
    storage.waiting.answer_at_once.
    needs_derived_columns: the columns of storage.tables.derived_columns must not be null.
    """

    own_check: str | None = None
    """What `find_damage` does, in a few words; None if it does nothing."""
    reads_at_once = False
    needs_derived_columns = False

    @abstractmethod
    def create(self) -> None:
        """Create the tables that do not exist yet. Safe to call again, and from several processes at once."""

    def enable_projections(self) -> None:  # noqa: B027 - optional, not abstract
        """Create the projections of the tables, on engines that have any (VAST). Other engines do nothing."""

    @abstractmethod
    def read(self) -> AbstractContextManager[Reader]:
        """A read transaction: all its reads see the tables at one moment."""

    def read_once(self) -> AbstractContextManager[Reader]:
        """Reads without a transaction, which is faster: each may see the tables at a different moment.

        For a single read, or for several that do not depend on each other.
        """
        return self.read()

    def read_under(self, lock: str, read: Callable[[Reader], T]) -> T:
        """Return what `read` returns, from reads that see the tables at one moment.

        An engine may try without a transaction first, and call `read` again if the tables changed meanwhile.
        lock: the name that writers of the rows in question lock ("flow:<id>"). `read` must read the row that this names
        first, and make at most one read of rows that are written without this lock.
        """
        with self.read() as tx:
            return read(tx)

    @abstractmethod
    def write(self) -> AbstractContextManager[Writer]:
        """A write transaction: durable once the block ends, rolled back if it raises."""

    def find_damage(self) -> Iterator[str]:
        """What the database itself finds wrong with what it has stored, as far as it can tell. May read everything."""
        return iter(())

    def check_space(self) -> None:  # noqa: B027 - optional, not abstract
        """Raise Unavailable if too little space is left to add rows, on engines that know."""

    def held(self) -> tuple[int, int] | None:
        """What tells the database in use from another under its name, for `hold` in other processes; None if nothing
        does."""
        return None

    def hold(self, identity: tuple[int, int] | None) -> None:  # noqa: B027 - optional, not abstract
        """Use no other database than the one that `held` returned this for. Called before the first use."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
