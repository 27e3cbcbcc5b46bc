"""Every table of the catalogue: its columns, from the typed dicts of storage.tables.rows, its key and its indexes.

Each engine builds its own tables from these declarations. They use no types of a database library, so that the library
of an engine that is not in use is not imported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from storage.tables import rows
from storage.tables.conditions import Compare

Type = Literal["string", "int64", "bool", "json"]
"""Of a column; "json" holds any JSON value."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: Type
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class PresenceFlag:
    """A question that writers ask often: does any row of the declaring table meet `condition`?

    An engine may store the answer beside the rows of the table `read_with`, which those writers lock in any case, and
    so save them a query. It must then keep the stored answer right whenever the declaring table changes.
    """

    name: str
    condition: Compare
    read_with: str


@dataclass(frozen=True, slots=True)
class Listing:
    """How clients list the rows of a table. An SQL database has an index for each filter, in the default order.

    order: the default order; the last column is the key. filters: columns that are compared with one value, together.
    outlined: the rows have an outline (storage.tables.outline) of their content in this table.
    """

    order: tuple[str, ...]
    filters: tuple[tuple[str, ...], ...] = ()
    outlined: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """key: the primary key, in the order by which the table is best sorted.
    indexes: lists of other columns that queries filter and sort by.
    listing: how clients list it. Filters by other columns, or in another order, are for few rows.
    repeats: columns that have the same value as a column of the listed row to which a row belongs, by the name of that.
    span: the columns (owner, start, end) of half-open spans that never overlap within one owner.
    clustered: rows are read in ranges of the key and are best stored in its order.
    presence_flags: questions about the whole table that an engine may answer without a query.
    hashed: columns of the key and of indexes whose text may be too long for an index. An engine with such a limit
    indexes a hash of it, and the order of the key is not that of an index.
    is_later_addition: exports of earlier releases lack the table, which is empty then.
    former: columns that exports of earlier releases have, and tables on VAST may have still. They are ignored.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    listing: Listing | None = None
    repeats: Mapping[str, str] = field(default_factory=dict)
    span: tuple[str, str, str] | None = None
    clustered: bool = False
    presence_flags: tuple[PresenceFlag, ...] = ()
    hashed: tuple[str, ...] = ()
    is_later_addition: bool = False
    former: tuple[str, ...] = ()


_TYPES: dict[Any, Type] = {str: "string", int: "int64", bool: "bool", Any: "json"}


def columns_of(row: type[Any]) -> tuple[Column, ...]:
    """The columns that the typed dict `row` (storage.tables.rows) declares."""
    return tuple(_column(name, hint) for name, hint in get_type_hints(row).items())


def _column(name: str, hint: Any) -> Column:
    kinds = [kind for kind in (get_args(hint) if get_origin(hint) is UnionType else (hint,)) if kind is not NoneType]
    nullable = hint is not kinds[0]
    origin = get_origin(kinds[0])
    if origin is Literal:
        return Column(name, "string", nullable)
    return Column(name, "json" if origin is dict else _TYPES[kinds[0]], nullable)


_TABLES = (
    Table("service", columns_of(rows.ServiceRow), key=("key",)),
    Table(
        "credentials",
        columns_of(rows.CredentialRow),
        key=("id",),
    ),
    Table(
        "profiles",
        columns_of(rows.ProfileRow),
        key=("id",),
        indexes=(("unlabelled", "label", "id"),),
        listing=Listing(("unlabelled", "label", "id"), filters=(("format",), ("codec",))),
    ),
    Table(
        "sources",
        columns_of(rows.SourceRow),
        key=("id",),
        indexes=(("created", "id"), ("updated", "id"), ("unlabelled", "label", "id")),
        listing=Listing(("created", "id"), filters=(("format",), ("unlabelled", "label"))),
    ),
    Table(
        "deleted_sources",
        columns_of(rows.DeletedSourceRow),
        key=("id",),
        indexes=(("created", "id"), ("updated", "id"), ("unlabelled", "label", "id")),
        listing=Listing(("created", "id")),
        is_later_addition=True,
        former=("subject",),
    ),
    Table(
        "source_collections",
        columns_of(rows.CollectionRow),
        key=("collector_id", "position"),
        indexes=(("member_id", "collector_id"),),
        clustered=True,
    ),
    Table(
        "flows",
        columns_of(rows.FlowRow),
        key=("id",),
        indexes=(
            ("source_id", "created"),
            ("profile_id",),
            ("created", "id"),
            ("metadata_updated", "id"),
            ("unlabelled", "label", "id"),
        ),
        listing=Listing(
            ("created", "id"),
            filters=(
                ("source_id",),
                ("format",),
                ("codec",),
                ("frame_width",),
                ("frame_height",),
                ("unlabelled", "label"),
            ),
            outlined="segments",
        ),
    ),
    Table(
        "collections",
        columns_of(rows.CollectionRow),
        key=("collector_id", "position"),
        indexes=(("member_id", "collector_id"),),
        clustered=True,
    ),
    Table(
        "deleted_flows",
        columns_of(rows.DeletedFlowRow),
        key=("id",),
        indexes=(
            ("created", "id"),
            ("metadata_updated", "id"),
            ("unlabelled", "label", "id"),
            ("expires", "id"),
            ("source_id", "expires"),
        ),
        listing=Listing(("created", "id"), filters=(("source_id",),), outlined="segments"),
        is_later_addition=True,
    ),
    Table(
        "deleted_collections",
        columns_of(rows.CollectionRow),
        key=("collector_id", "position", "member_id"),
        indexes=(("member_id", "collector_id"),),
        clustered=True,
        is_later_addition=True,
    ),
    Table(
        "webhooks",
        columns_of(rows.WebhookRow),
        key=("id",),
        indexes=(("url", "id"), ("enabled", "id"), ("enabled", "since")),
        listing=Listing(("url", "id"), filters=(("owner",),)),
        # Every writer of segments asks whether any webhook is enabled, and locks the flow first.
        presence_flags=(PresenceFlag("any_enabled", Compare("enabled", "==", True), read_with="flows"),),
    ),
    Table(
        "tags",
        columns_of(rows.TagRow),
        key=("kind", "owner_id", "name", "value", "empty"),
        indexes=(("kind", "name", "value", "empty", "created", "owner_id"), ("kind", "name", "created", "owner_id")),
        repeats={"created": "created", "id": "owner_id"},
        clustered=True,
        hashed=("value",),
    ),
    Table(
        "classes",
        columns_of(rows.ClassRow),
        key=("kind", "owner_id", "name"),
        indexes=(("kind", "name", "created", "owner_id"),),
        repeats={"created": "created", "id": "owner_id"},
        clustered=True,
        is_later_addition=True,
    ),
    Table(
        "segments",
        columns_of(rows.SegmentRow),
        key=("flow_id", "start_ns"),
        indexes=(("flow_id", "end_ns", "start_ns"), ("object_id", "flow_id", "start_ns")),
        span=("flow_id", "start_ns", "end_ns"),
        clustered=True,
    ),
    Table(
        "segment_tags",
        columns_of(rows.SegmentTagRow),
        key=("flow_id", "start_ns", "name", "value", "empty"),
        indexes=(("flow_id", "name", "value", "empty", "start_ns"), ("flow_id", "name", "start_ns")),
        clustered=True,
        hashed=("value",),
        is_later_addition=True,
    ),
    Table(
        "objects",
        columns_of(rows.ObjectRow),
        key=("id",),
        indexes=(("expires",), ("flow_id",)),
    ),
    Table(
        "instances",
        columns_of(rows.InstanceRow),
        key=("object_id", "instance"),
        clustered=True,
    ),
    Table(
        "object_refs",
        columns_of(rows.ObjectRefRow),
        key=("object_id", "flow_id"),
        indexes=(("flow_id", "object_id"),),
        clustered=True,
    ),
    Table(
        "deletion_requests",
        columns_of(rows.DeletionRequestRow),
        key=("id",),
        indexes=(("created", "id"), ("expiry", "id"), ("status", "created"), ("flow_id",)),
    ),
    Table(
        "flows_to_delete",
        columns_of(rows.FlowToDeleteRow),
        key=("request_id", "position"),
        indexes=(("flow_id",),),
        clustered=True,
        is_later_addition=True,
    ),
    Table(
        "events",
        columns_of(rows.EventRow),
        key=("id",),
        indexes=(("pending", "position"),),
    ),
    Table(
        "deliveries",
        columns_of(rows.DeliveryRow),
        key=("webhook_id", "position", "event_id"),
        indexes=(("event_id",),),
        clustered=True,
    ),
    Table(
        "jobs",
        columns_of(rows.JobRow),
        key=("kind", "key"),
        indexes=(("due",),),
    ),
    Table(
        "garbage",
        columns_of(rows.GarbageRow),
        key=("storage_id", "object_id"),
        indexes=(("object_id",),),
        clustered=True,
    ),
    Table("usage", columns_of(rows.UsageRow), key=("principal",), is_later_addition=True),
    Table("principals", columns_of(rows.PrincipalRow), key=("name",), is_later_addition=True),
    Table(
        "violations",
        columns_of(rows.ViolationRow),
        key=("id",),
        indexes=(("day", "id"),),
        is_later_addition=True,
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in _TABLES}
