"""The rows of deleted flows and sources that are kept apart from all others, so that nothing but a restoration finds
them. Segments and references to objects stay where they are.
"""

from dataclasses import dataclass
from typing import Any, Final, TypedDict, cast

from storage.catalog import tags as tag_rows
from storage.catalog.access.class_rows import delete_classes, replace_classes
from storage.catalog.access_rules import AccessRules
from storage.catalog.event_journal import Subject
from storage.tables.conditions import Compare, equals
from storage.tables.rows import DeletedFlowRow, DeletedSourceRow, FlowRow, SourceRow, TagOwner
from storage.tables.transaction import Writer

FLOW: Final = "deleted_flow"
SOURCE: Final = "deleted_source"
"""Kinds of the owners of tags and classes."""
_TABLES: Final[dict[TagOwner, str]] = {FLOW: "deleted_flows", SOURCE: "deleted_sources"}


class DeletionColumns(TypedDict):
    """The columns that the row of a deleted flow or source has in addition to those that it had before."""

    deleted: int
    expires: int
    deleted_by: str


@dataclass(frozen=True, slots=True)
class SoftDeletion:
    """deleted: when, in microseconds since 1970. expires: when the grace period ends. deleted_by: the caller."""

    deleted: int
    expires: int
    deleted_by: str

    @property
    def columns(self) -> DeletionColumns:
        """The columns of a row that is kept."""
        return {"deleted": self.deleted, "expires": self.expires, "deleted_by": self.deleted_by}


def keep_flow(tx: Writer, rules: AccessRules, row: FlowRow, subject: Subject, deletion: SoftDeletion) -> None:
    """Keep the row of a flow, with its tags and its places in the collections of others, which are still there.

    subject: as the deletion is reported.
    """
    tx.insert("deleted_flows", [{**row, **deletion.columns, "subject": subject.stored(tx)}])
    _write_tags(tx, rules, FLOW, row)
    tx.insert("deleted_collections", tx.select("collections", equals(member_id=row["id"])))


def keep_source(tx: Writer, rules: AccessRules, source_id: str, deletion: SoftDeletion) -> None:
    """Keep the row of a source, which is still there.

    It is not kept if an earlier source with its id is, with which deleted flows went: theirs is the one that returns
    with them, with its format and its classes.
    """
    row, earlier = tx.get("sources", id=source_id), tx.get("deleted_sources", id=source_id)
    if row is None:
        return
    if earlier is not None:
        its_flows = [*equals(source_id=source_id), Compare("created", "<=", earlier["deleted"])]
        if tx.select("deleted_flows", its_flows, limit=1, columns=["id"]):
            return
        forget(tx, SOURCE, source_id)
    tx.insert("deleted_sources", [{**row, **deletion.columns}])
    _write_tags(tx, rules, SOURCE, row)


def last_deletion(tx: Writer, source_id: str) -> SoftDeletion | None:
    """The soft deletion that ends last among those of the source's flows; None if there is none."""
    rows = tx.select(
        "deleted_flows",
        equals(source_id=source_id),
        order=("expires",),
        descending=True,
        limit=1,
        columns=["deleted", "expires", "deleted_by"],
    )
    return SoftDeletion(rows[0]["deleted"], rows[0]["expires"], rows[0]["deleted_by"]) if rows else None


def forget(tx: Writer, kind: TagOwner, id_: str) -> None:
    """Delete what is kept of a flow or a source, but for the places of a flow in collections."""
    tx.delete(_TABLES[kind], equals(id=id_))
    tx.delete("tags", equals(kind=kind, owner_id=id_))
    delete_classes(tx, kind, id_)


def forget_places(tx: Writer, flow_id: str) -> None:
    """Delete the places that a flow which goes for good could return to, and those that others could in its own
    collection. The lock of collections is held."""
    tx.delete("deleted_collections", equals(member_id=flow_id))
    tx.delete("deleted_collections", equals(collector_id=flow_id))


def return_flow(tx: Writer, rules: AccessRules, row: DeletedFlowRow) -> None:
    """Insert a flow again. row: as it was kept, perhaps with a changed document."""
    plain = cast(FlowRow, {name: value for name, value in row.items() if name in FlowRow.__annotations__})
    forget(tx, FLOW, row["id"])
    tx.insert("flows", [plain])
    _write_tags(tx, rules, "flow", plain)


def return_source(tx: Writer, rules: AccessRules, row: DeletedSourceRow) -> None:
    """Insert a source again, as it was kept."""
    plain = cast(SourceRow, {name: value for name, value in row.items() if name in SourceRow.__annotations__})
    forget(tx, SOURCE, row["id"])
    tx.insert("sources", [plain])
    _write_tags(tx, rules, "source", plain)


def _write_tags(tx: Writer, rules: AccessRules, kind: TagOwner, row: Any) -> None:
    """Write the rows that mirror the tags and the classes of a resource."""
    tags = row["doc"].get("tags", {})
    tag_rows.replace_rows(tx, kind, row["id"], row["created"], tags)
    replace_classes(tx, rules, kind, row["id"], row["created"], tags)
