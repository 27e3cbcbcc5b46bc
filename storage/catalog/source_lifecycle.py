"""Where sources come from and go to: created with their first flow, deleted with their last (SRC-LIFE-*)."""

from collections.abc import Sequence

from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.event_journal import EventJournal, Subject
from storage.catalog.sources import KIND
from storage.tables.conditions import equals
from storage.tables.engine import Writer
from storage.tables.rows import SourceRow


def create_with_first_flow(tx: Writer, caller: Caller, source_id: str, format_: str, now: int) -> None:
    """Create the source of a first flow, with the flow's format (SRC-LIFE-01, -02). now: microseconds since 1970."""
    moment = rfc3339(now)
    doc = {
        "id": source_id,
        "format": format_,
        "created_by": caller.name,
        "updated_by": caller.name,
        "created": moment,
        "updated": moment,
    }
    row: SourceRow = {
        "id": source_id,
        "format": format_,
        "label": "",
        "unlabelled": True,
        "created": now,
        "updated": now,
        "doc": doc,
    }
    tx.insert("sources", [row])


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
