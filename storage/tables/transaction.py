"""What transactions can do: they read and write rows.

A row is a dict from column name to str, int, bool, None or, in columns of type "json", any JSON value. The name of a
table determines the type of its rows (storage.tables.rows).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypedDict, Unpack, overload

from storage.tables.conditions import Compare, Condition, equals
from storage.tables.limits import check_row
from storage.tables.rows import (
    ClassRow,
    CollectionRow,
    CredentialRow,
    DeletedFlowRow,
    DeletedSourceRow,
    DeletionRequestRow,
    DeliveryRow,
    EventRow,
    FlowRow,
    FlowToDeleteRow,
    GarbageRow,
    InstanceRow,
    JobRow,
    ObjectRefRow,
    ObjectRow,
    PrincipalRow,
    ProfileRow,
    SegmentRow,
    SegmentTagRow,
    ServiceRow,
    SourceRow,
    TagRow,
    UsageRow,
    ViolationRow,
    WebhookRow,
)
from storage.tables.schema import TABLES
from storage.tables.span_cells import SpanCell, group_spans

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


class Reader(ABC):
    """A view of the tables. Every method may raise storage.errors.Unavailable.

    max_fetched: how many rows with documents to select at once at most, where they all arrive before the first is seen.
    max_counted: how many spans to count at once at most, which takes a few hundredths of a second.
    """

    max_fetched: ClassVar[int | None] = 300
    max_counted: ClassVar[int] = 50_000

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
    def get(
        self, table: Literal["collections", "source_collections", "deleted_collections"], **key: Any
    ) -> CollectionRow | None: ...
    @overload
    def get(self, table: Literal["tags"], **key: Any) -> TagRow | None: ...
    @overload
    def get(self, table: Literal["segments"], **key: Any) -> SegmentRow | None: ...
    @overload
    def get(self, table: Literal["segment_tags"], **key: Any) -> SegmentTagRow | None: ...
    @overload
    def get(self, table: Literal["objects"], **key: Any) -> ObjectRow | None: ...
    @overload
    def get(self, table: Literal["instances"], **key: Any) -> InstanceRow | None: ...
    @overload
    def get(self, table: Literal["object_refs"], **key: Any) -> ObjectRefRow | None: ...
    @overload
    def get(self, table: Literal["deletion_requests"], **key: Any) -> DeletionRequestRow | None: ...
    @overload
    def get(self, table: Literal["flows_to_delete"], **key: Any) -> FlowToDeleteRow | None: ...
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
    def get(self, table: Literal["usage"], **key: Any) -> UsageRow | None: ...
    @overload
    def get(self, table: Literal["classes"], **key: Any) -> ClassRow | None: ...
    @overload
    def get(self, table: Literal["principals"], **key: Any) -> PrincipalRow | None: ...
    @overload
    def get(self, table: Literal["deleted_flows"], **key: Any) -> DeletedFlowRow | None: ...
    @overload
    def get(self, table: Literal["deleted_sources"], **key: Any) -> DeletedSourceRow | None: ...
    @overload
    def get(self, table: Literal["violations"], **key: Any) -> ViolationRow | None: ...
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
        self,
        table: Literal["collections", "source_collections", "deleted_collections"],
        where: Where = (),
        **how: Unpack[Selection],
    ) -> list[CollectionRow]: ...
    @overload
    def select(self, table: Literal["tags"], where: Where = (), **how: Unpack[Selection]) -> list[TagRow]: ...
    @overload
    def select(self, table: Literal["segments"], where: Where = (), **how: Unpack[Selection]) -> list[SegmentRow]: ...
    @overload
    def select(
        self, table: Literal["segment_tags"], where: Where = (), **how: Unpack[Selection]
    ) -> list[SegmentTagRow]: ...
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
    def select(
        self, table: Literal["flows_to_delete"], where: Where = (), **how: Unpack[Selection]
    ) -> list[FlowToDeleteRow]: ...
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
    def select(self, table: Literal["usage"], where: Where = (), **how: Unpack[Selection]) -> list[UsageRow]: ...
    @overload
    def select(
        self, table: Literal["violations"], where: Where = (), **how: Unpack[Selection]
    ) -> list[ViolationRow]: ...
    @overload
    def select(self, table: Literal["classes"], where: Where = (), **how: Unpack[Selection]) -> list[ClassRow]: ...
    @overload
    def select(
        self, table: Literal["principals"], where: Where = (), **how: Unpack[Selection]
    ) -> list[PrincipalRow]: ...
    @overload
    def select(
        self, table: Literal["deleted_flows"], where: Where = (), **how: Unpack[Selection]
    ) -> list[DeletedFlowRow]: ...
    @overload
    def select(
        self, table: Literal["deleted_sources"], where: Where = (), **how: Unpack[Selection]
    ) -> list[DeletedSourceRow]: ...
    @overload
    def select(self, table: str, where: Where = (), **how: Unpack[Selection]) -> list[Any]: ...
    @abstractmethod
    def select(self, table: str, where: Where = (), **how: Unpack[Selection]) -> list[Any]:
        """The rows that meet all of `where`, sorted, limited and cut to columns as Selection says.

        Rows cut to columns have the same type as whole ones; reading another column raises KeyError.
        """

    def span_cells(self, table: str, owner: str, start: int, end: int, level: int, limit: int) -> list[SpanCell]:
        """Count the spans (Table.span) of one owner that start in [start, end), in ns, by cells of 2^level ns.

        Counts `limit` spans at most: then the last cell may have more than are counted. The lengths of all spans of the
        owner together must fit an int64.
        """
        span = TABLES[table].span
        assert span is not None
        owner_column, first, last = span
        where = [*equals(**{owner_column: owner}), Compare(first, ">=", start), Compare(first, "<", end)]
        rows = self.select(table, where, order=(first,), limit=limit, columns=[first, last])
        return group_spans(((row[first], row[last]) for row in rows), level)


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
        self,
        table: Literal["collections", "source_collections", "deleted_collections"],
        rows: Sequence[CollectionRow],
        *,
        fresh: bool = False,
    ) -> None: ...
    @overload
    def insert(self, table: Literal["tags"], rows: Sequence[TagRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["segments"], rows: Sequence[SegmentRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["segment_tags"], rows: Sequence[SegmentTagRow], *, fresh: bool = False) -> None: ...
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
    def insert(
        self, table: Literal["flows_to_delete"], rows: Sequence[FlowToDeleteRow], *, fresh: bool = False
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
    @overload
    def insert(self, table: Literal["usage"], rows: Sequence[UsageRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["classes"], rows: Sequence[ClassRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["principals"], rows: Sequence[PrincipalRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(self, table: Literal["violations"], rows: Sequence[ViolationRow], *, fresh: bool = False) -> None: ...
    @overload
    def insert(
        self, table: Literal["deleted_flows"], rows: Sequence[DeletedFlowRow], *, fresh: bool = False
    ) -> None: ...
    @overload
    def insert(
        self, table: Literal["deleted_sources"], rows: Sequence[DeletedSourceRow], *, fresh: bool = False
    ) -> None: ...
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

    def update_rows(self, table: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Set columns in the rows with these keys, and return how many of these there are. Raises Invalid as `insert`.

        rows: the columns of the key with their values, and those to set with theirs: the same columns in all.
        """
        for row in rows:
            check_row(table, row)
        return self._update_rows(table, rows) if rows else 0

    @abstractmethod
    def _insert(self, table: str, rows: Sequence[Any], *, fresh: bool) -> None:
        """`insert` of rows within their limits."""

    @abstractmethod
    def _update(self, table: str, where: Where, values: Mapping[str, Any]) -> int:
        """`update` with values within their limits."""

    def _update_rows(self, table: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """`update_rows` with values within their limits."""
        key = TABLES[table].key
        return sum(self._update(table, *divided(row, key)) for row in rows)

    @abstractmethod
    def delete(self, table: str, where: Where) -> int:
        """Remove all rows that meet `where`, and return their number."""


def divided(row: Mapping[str, Any], key: Sequence[str]) -> tuple[Where, dict[str, Any]]:
    """The conditions that the columns of the key have the values of a row, and its other columns."""
    return equals(**{name: row[name] for name in key}), {name: row[name] for name in row if name not in key}
