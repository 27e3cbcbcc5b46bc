"""What a transaction that writes can do.

Each table has an overload of `insert`, which gives it the type of the table's rows.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal, overload

from storage.tables.conditions import equals
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
from storage.tables.transaction.reader import Reader
from storage.tables.transaction.selection import Where


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
