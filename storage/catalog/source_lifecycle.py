"""Where sources come from and go to: created with their first flow, deleted with their last (SRC-LIFE-*)."""

from collections.abc import Mapping, Sequence
from typing import Any

from storage.catalog import tags as tag_rows
from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.event_journal import EventJournal, Subject
from storage.catalog.sources import KIND
from storage.tables.conditions import equals
from storage.tables.engine import Writer
from storage.tables.limits import label_columns
from storage.tables.rows import SourceRow

DESCRIPTIVE = ("label", "description", "tags")
"""The members that a new source takes from its first flow; tags among them, as authorisation may depend on them."""


def create_with_first_flow(
    tx: Writer, caller: Caller, flow: Mapping[str, Any], now: int, *, describe: bool = True
) -> None:
    """Create the source of a first flow, with the flow's format (SRC-LIFE-01, -02).

    flow: its document. now: microseconds since 1970. describe: whether the source takes the DESCRIPTIVE members too.
    """
    moment = rfc3339(now)
    source_id = flow["source_id"]
    doc = {
        "id": source_id,
        "format": flow["format"],
        "created_by": caller.name,
        "updated_by": caller.name,
        "created": moment,
        "updated": moment,
    }
    if describe:
        doc |= {name: flow[name] for name in DESCRIPTIVE if name in flow}
    row: SourceRow = {
        "id": source_id,
        "format": flow["format"],
        **label_columns(doc.get("label")),
        "created": now,
        "updated": now,
        "doc": doc,
    }
    tx.insert("sources", [row])
    if doc.get("tags"):
        tag_rows.replace_rows(tx, KIND, source_id, doc["tags"])


def delete_with_last_flow(tx: Writer, journal: EventJournal, source_id: str, collected_by: Sequence[str]) -> set[str]:
    """Delete the source unless it still has a flow (SRC-LIFE-05, -06).

    collected_by: the sources that collected it before its last flow was deleted (FLT-09).

    Returns the ids of the other sources whose collections this changes.
    """
    if tx.select("flows", equals(source_id=source_id), limit=1, columns=["id"]):
        return set()
    journal.source_deleted(Subject(None, source_id, (), collected_by))
    tx.delete("sources", equals(id=source_id))
    tx.delete("tags", equals(kind=KIND, owner_id=source_id))
    members = tx.select("source_collections", equals(collector_id=source_id), columns=["member_id"])
    collectors = tx.select("source_collections", equals(member_id=source_id), columns=["collector_id"])
    tx.delete("source_collections", equals(collector_id=source_id))
    tx.delete("source_collections", equals(member_id=source_id))
    return {row["member_id"] for row in members} | {row["collector_id"] for row in collectors}
