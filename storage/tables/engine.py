"""The seam between the rules and the databases: an Engine opens transactions, which read and write rows.

A row is a dict from column name to str, int, bool, None or, in columns of type "json", any JSON value. The name of a
table determines the type of its rows (storage.tables.rows).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, TypedDict, TypeVar, Unpack, overload

from storage.tables.conditions import Condition, equals
from storage.tables.limits import check_row
from storage.tables.rows import (
    CollectionRow,
    CredentialRow,
    DeletionRequestRow,
    DeliveryRow,
    EventRow,
    FlowRow,
    GarbageRow,
    InstanceRow,
    JobRow,
    ObjectRefRow,
    ObjectRow,
    ProfileRow,
    SegmentRow,
    ServiceRow,
    SourceRow,
    TagRow,
    WebhookRow,
)

Row = dict[str, Any]
"""A row of any table."""
Where = Sequence[Condition]
"""Conditions that must all hold."""
T = TypeVar("T")


class Selection(TypedDict, total=False):
    """Which of the matching rows `select` returns, and how.

    order: columns to sort by, all in one direction. descending: whether from the greatest down.
    after: values of the `order` columns; only rows that sort after them are returned (paging by key).
    limit: the largest number of rows. columns: the columns to return, by default all.
    """

    order: Sequence[str]
    descending: bool
    after: Sequence[Any] | None
    limit: int | None
    columns: Sequence[str] | None


class Reader(ABC):
    """A view of the tables. Every method may raise storage.errors.Unavailable."""

    @overload
    def get(self, table: Literal["service"], **key: Any) -> ServiceRow | None: ...
    @overload
    def get(self, table: Literal["credentials"], **key: Any) -> CredentialRow | None: ...
    @overload
    def get(self, table: Literal["profiles"], **key: Any) -> ProfileRow | None: ...
    @overload
    def get(self, table: Literal["sources"], **key: Any) -> SourceRow | None: ...
    @overload
    def get(self, table: Literal["flows"], **key: Any) -> FlowRow | None: ...
    @overload
    def get(self, table: Literal["collections", "source_collections"], **key: Any) -> CollectionRow | None: ...
    @overload
    def get(self, table: Literal["tags"], **key: Any) -> TagRow | None: ...
    @overload
    def get(self, table: Literal["segments"], **key: Any) -> SegmentRow | None: ...
    @overload
    def get(self, table: Literal["objects"], **key: Any) -> ObjectRow | None: ...
    @overload
    def get(self, table: Literal["instances"], **key: Any) -> InstanceRow | None: ...
    @overload
    def get(self, table: Literal["object_refs"], **key: Any) -> ObjectRefRow | None: ...
    @overload
    def get(self, table: Literal["deletion_requests"], **key: Any) -> DeletionRequestRow | None: ...
    @overload
    def get(self, table: Literal["webhooks"], **key: Any) -> WebhookRow | None: ...
    @overload
    def get(self, table: Literal["events"], **key: Any) -> EventRow | None: ...
    @overload
    def get(self, table: Literal["deliveries"], **key: Any) -> DeliveryRow | None: ...
    @overload
    def get(self, table: Literal["jobs"], **key: Any) -> JobRow | None: ...
    @overload
    def get(self, table: Literal["garbage"], **key: Any) -> GarbageRow | None: ...
    @overload
    def get(self, table: str, **key: Any) -> Any: ...
    def get(self, table: str, **key: Any) -> Any:
        """The row whose key columns have these values, or None."""
        found = self.select(table, equals(**key), limit=1)
        return found[0] if found else None

    @overload
    def select(self, table: Literal["service"], where: Where = (), **how: Unpack[Selection]) -> list[ServiceRow]: ...
    @overload
    def select(
        self, table: Literal["credentials"], where: Where = (), **how: Unpack[Selection]
    ) -> list[CredentialRow]: ...
    @overload
    def select(self, table: Literal["profiles"], where: Where = (), **how: Unpack[Selection]) -> list[ProfileRow]: ...
    @overload
    def select(self, table: Literal["sources"], where: Where = (), **how: Unpack[Selection]) -> list[SourceRow]: ...
    @overload
    def select(self, table: Literal["flows"], where: Where = (), **how: Unpack[Selection]) -> list[FlowRow]: ...
    @overload
    def select(
        self, table: Literal["collections", "source_collections"], where: Where = (), **how: Unpack[Selection]
    ) -> list[CollectionRow]: ...
    @overload
    def select(self, table: Literal["tags"], where: Where = (), **how: Unpack[Selection]) -> list[TagRow]: ...
    @overload
    def select(self, table: Literal["segments"], where: Where = (), **how: Unpack[Selection]) -> list[SegmentRow]: ...
    @overload
    def select(self, table: Literal["objects"], where: Where = (), **how: Unpack[Selection]) -> list[ObjectRow]: ...
    @overload
    def select(self, table: Literal["instances"], where: Where = (), **how: Unpack[Selection]) -> list[InstanceRow]: ...
    @overload
    def select(
        self, table: Literal["object_refs"], where: Where = (), **how: Unpack[Selection]
    ) -> list[ObjectRefRow]: ...
    @overload
    def select(
        self, table: Literal["deletion_requests"], where: Where = (), **how: Unpack[Selection]
    ) -> list[DeletionRequestRow]: ...
    @overload
    def select(self, table: Literal["webhooks"], where: Where = (), **how: Unpack[Selection]) -> list[WebhookRow]: ...
    @overload
    def select(self, table: Literal["events"], where: Where = (), **how: Unpack[Selection]) -> list[EventRow]: ...
    @overload
    def select(
        self, table: Literal["deliveries"], where: Where = (), **how: Unpack[Selection]
    ) -> list[DeliveryRow]: ...
    @overload
    def select(self, table: Literal["jobs"], where: Where = (), **how: Unpack[Selection]) -> list[JobRow]: ...
    @overload
    def select(self, table: Literal["garbage"], where: Where = (), **how: Unpack[Selection]) -> list[GarbageRow]: ...
    @overload
    def select(self, table: str, where: Where = (), **how: Unpack[Selection]) -> list[Any]: ...
    @abstractmethod
    def select(self, table: str, where: Where = (), **how: Unpack[Selection]) -> list[Any]:
        """The rows that meet all of `where`, sorted, limited and cut to columns as Selection says.

        Rows cut to columns have the same type as whole ones; reading another column raises KeyError.
        """


class Writer(Reader):
    """A transaction. It sees its own changes; others see all of them, or none, once it ends without an exception."""

    @abstractmethod
    def lock(self, *names: str) -> None:
        """Wait for, and keep out until the end, other writers that lock any of these names ("flow:<id>").

        Call it once, before the first read on which a change depends.
        """

    @overload
    def select_unlocked(
        self, table: Literal["jobs"], where: Where, *, order: Sequence[str] = (), limit: int | None = None
    ) -> list[JobRow]: ...
    @overload
    def select_unlocked(
        self, table: str, where: Where, *, order: Sequence[str] = (), limit: int | None = None
    ) -> list[Any]: ...
    @abstractmethod
    def select_unlocked(
        self, table: str, where: Where, *, order: Sequence[str] = (), limit: int | None = None
    ) -> list[Any]:
        """Rows as `select` returns them, for this transaction alone to change.

        Never waits for a row. An engine that can tell leaves out rows that another transaction holds. With the other
        engines writers run one after another, or the second to change a row gets storage.errors.Contended.
        """

    @overload
    def insert(self, table: Literal["service"], rows: Sequence[ServiceRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["credentials"], rows: Sequence[CredentialRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["profiles"], rows: Sequence[ProfileRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["sources"], rows: Sequence[SourceRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["flows"], rows: Sequence[FlowRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(
        self, table: Literal["collections", "source_collections"], rows: Sequence[CollectionRow], *, fresh: bool = False
    ) -> None: ...
    @overload
    def insert(self, table: Literal["tags"], rows: Sequence[TagRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["segments"], rows: Sequence[SegmentRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["objects"], rows: Sequence[ObjectRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["instances"], rows: Sequence[InstanceRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["object_refs"], rows: Sequence[ObjectRefRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(
        self, table: Literal["deletion_requests"], rows: Sequence[DeletionRequestRow], *, fresh: bool = False
    ) -> None: ...
    @overload
    def insert(self, table: Literal["webhooks"], rows: Sequence[WebhookRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["events"], rows: Sequence[EventRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["deliveries"], rows: Sequence[DeliveryRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["jobs"], rows: Sequence[JobRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["garbage"], rows: Sequence[GarbageRow], *, fresh: bool = False) -> None: ...
    def insert(self, table: str, rows: Sequence[Any], *, fresh: bool = False) -> None:
        """Add rows; columns left out are null.

        fresh: the caller knows that no key exists, and the engine need not check.
        Raises storage.errors.Conflict where a key exists already, and Invalid for a value that exceeds its limit.
        """
        for row in rows:
            check_row(table, row)
        self._insert(table, rows, fresh=fresh)

    def update(self, table: str, where: Where, values: Mapping[str, Any]) -> int:
        """Set columns in all rows that meet `where`, and return their number. Raises Invalid as `insert` does."""
        check_row(table, values)
        return self._update(table, where, values)

    @abstractmethod
    def _insert(self, table: str, rows: Sequence[Any], *, fresh: bool) -> None:
        """`insert` of rows within their limits."""

    @abstractmethod
    def _update(self, table: str, where: Where, values: Mapping[str, Any]) -> int:
        """`update` with values within their limits."""

    @abstractmethod
    def delete(self, table: str, where: Where) -> int:
        """Remove all rows that meet `where`, and return their number."""


class Engine(ABC):
    """A database that holds the tables of storage.tables.schema. Safe to share between threads and across fork."""

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

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
