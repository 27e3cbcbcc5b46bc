"""Where sources come from and go to: created with their first flow, deleted with their last (SRC-LIFE-*)."""

from collections.abc import Mapping, Sequence
from typing import Any

from storage.catalog import tags as tag_rows
from storage.catalog.access.class_rows import delete_classes, rows_of_new
from storage.catalog.access_rules import AccessRules
from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.event_journal import EventJournal
from storage.catalog.kept_rows import SoftDeletion, keep_source, last_deletion
from storage.catalog.sources import KIND
from storage.tables.auth_classes import TAG
from storage.tables.conditions import equals
from storage.tables.limits import label_columns
from storage.tables.rows import SourceRow
from storage.tables.transaction import Writer

DESCRIPTIVE = ("label", "description", "tags")
"""The members that a new source takes from its first flow; tags among them, as authorisation may depend on them."""


def source_of_first_flow(
    caller: Caller, flow: Mapping[str, Any], now: int, rules: AccessRules, *, describe: bool = True
) -> SourceRow:
    """The row of the source of a first flow, with the flow's format (SRC-LIFE-01, -02).

    flow: its document. now: microseconds since 1970. describe: whether the source takes the DESCRIPTIVE members too. If
    rules are in force, it takes the classes of the flow in any case (AUTHZ-04).
    """
    members = {"id": flow["source_id"], "format": flow["format"]}
    if describe:
        members |= {name: flow[name] for name in DESCRIPTIVE if name in flow}
    elif rules.enabled and TAG in flow.get("tags", {}):
        members["tags"] = {TAG: flow["tags"][TAG]}
    return new_source(caller, members, now)


def new_source(caller: Caller, members: Mapping[str, Any], now: int) -> SourceRow:
    """The row of a new source. members: those of its document that clients set. now: microseconds since 1970."""
    moment = rfc3339(now)
    managed = {"updated_by": caller.name, "created": moment, "updated": moment}
    doc = {"created_by": caller.name, **members, **managed}
    return {
        "id": doc["id"],
        "format": doc["format"],
        **label_columns(doc.get("label")),
        "created": now,
        "updated": now,
        "doc": doc,
    }


def insert_sources(tx: Writer, rules: AccessRules, rows: Sequence[SourceRow]) -> None:
    """Insert the rows of new sources, with those of their tags and classes."""
    tx.insert("sources", rows)
    tags = [(row["id"], row["created"], row["doc"].get("tags", {})) for row in rows]
    tx.insert("tags", [each for source in tags for each in tag_rows.rows_of(KIND, *source)])
    tx.insert("classes", [each for source in tags for each in rows_of_new(rules, KIND, *source)])


def delete_with_last_flow(
    tx: Writer, journal: EventJournal, source_id: str, collected_by: Sequence[str], deletion: SoftDeletion | None = None
) -> set[str]:
    """Delete the source unless it still has a flow (SRC-LIFE-05, -06).

    collected_by: the sources that collected it before its last flow was deleted (FLT-09). deletion: of that flow, if it
    can be restored. The source is kept for deleted flows, too, until none of them can be restored any more, unless an
    earlier one with its id already is.

    Returns the ids of the other sources whose collections this changes.
    """
    if tx.select("flows", equals(source_id=source_id), limit=1, columns=["id"]):
        return set()
    subject = journal.source_subject(source_id, collected_by)
    deletion = deletion or last_deletion(tx, source_id)
    if deletion is not None:
        keep_source(tx, journal.rules, source_id, deletion)
    journal.source_deleted(subject)
    tx.delete("sources", equals(id=source_id))
    if tx.delete("tags", equals(kind=KIND, owner_id=source_id)) or journal.rules.untagged_is_open:
        delete_classes(tx, KIND, source_id)
    members = tx.select("source_collections", equals(collector_id=source_id), columns=["member_id"])
    collectors = tx.select("source_collections", equals(member_id=source_id), columns=["collector_id"])
    tx.delete("source_collections", equals(collector_id=source_id))
    tx.delete("source_collections", equals(member_id=source_id))
    return {row["member_id"] for row in members} | {row["collector_id"] for row in collectors}
