"""What every transaction can do: it reads rows.

Each table has an overload of each method, which gives the method the type of the table's rows.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Unpack, overload

from storage.tables.conditions import Compare, equals
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
from storage.tables.transaction.selection import Selection, Where


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
