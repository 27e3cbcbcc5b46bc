"""The rows of flows, as all find, show, replace and remove them, and what is told of that (FLOW-*)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from storage.catalog import sources
from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.event_journal import Journal, subject_of_flow
from storage.catalog.flows import flow_collections, flow_rules
from storage.catalog.flows.flow_filter import KIND
from storage.errors import Contended, NotFound
from storage.tables.conditions import Compare, In, equals
from storage.tables.engine import Reader, Row, Writer

COLLECTIONS = "collections"
"""The lock of those who change what collects what: taken last, before the first look at other flows' collections."""


def find(tx: Reader, caller: Caller, flow_id: str) -> Row:
    """The flow's row. Raises NotFound."""
    row = look(tx, caller, flow_id)
    if row is None:
        raise NotFound(f"there is no flow {flow_id}", field="flowId", behaviour="FLOW-GET-02")
    return row


def look(tx: Reader, caller: Caller, flow_id: str, columns: Sequence[str] | None = None) -> Row | None:
    """The flow's row, or these columns of it; None where there is no such flow."""
    rows = tx.select("flows", [Compare("id", "==", flow_id), *caller.visible(KIND)], limit=1, columns=columns)
    return rows[0] if rows else None


def find_writable(tx: Writer, caller: Caller, flow_id: str, *more_locks: str) -> Row:
    """The flow's row, locked for a change. Raises NotFound, or Forbidden where it is read-only (A33)."""
    tx.lock(f"flow:{flow_id}", *more_locks)
    row = find(tx, caller, flow_id)
    flow_rules.check_writable(row)
    return row


def documents(tx: Reader, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Whole documents: what was stored, collected_by, and when segments last changed (FLOW-GET-12, A67)."""
    ids = [row["id"] for row in rows]
    collectors = flow_collections.collected_by(tx, ids)
    found = []
    for row in rows:
        doc = dict(row["doc"])
        if row["id"] in collectors:
            doc["collected_by"] = collectors[row["id"]]
        if row["segments_updated"] is not None:
            doc["segments_updated"] = rfc3339(row["segments_updated"])
        found.append(doc)
    return found


def remove(tx: Writer, journal: Journal, row: Row, now: int) -> None:
    """Take the flow out of the catalogue; its segments are removed apart from it (FLOW-DEL-10, A28).

    The caller holds the locks of the flow and of its source.
    """
    flow_id = row["id"]
    tx.lock(COLLECTIONS)
    subject = subject_of_flow(tx, flow_id, row["source_id"])
    tx.delete("flows", equals(id=flow_id))
    tx.delete("tags", equals(kind=KIND, owner_id=flow_id))
    members = {item["id"] for item in row["doc"].get("flow_collection", [])}
    tx.delete("collections", equals(collector_id=flow_id))
    affected = {row["source_id"]}
    for parent in tx.select("flows", [In("id", sorted(subject.flow_collected_by))]):
        doc = dict(parent["doc"])
        doc["flow_collection"] = [item for item in doc.get("flow_collection", []) if item["id"] != flow_id]
        doc["metadata_version"] = flow_rules.next_version(None, None)
        doc["metadata_updated"] = rfc3339(now)
        replace(tx, parent, {"metadata_updated": now, "doc": doc})
        flow_collections.replace_rows(tx, parent["id"], doc["flow_collection"])
        affected.add(parent["source_id"])
    journal.flow_deleted(subject)
    changed = {id_ for source_id in affected for id_ in flow_collections.derive_source_collection(tx, source_id)}
    changed |= sources.delete_orphan(tx, journal, row["source_id"], subject.source_collected_by)
    record_members(tx, journal, members | set(subject.flow_collected_by), changed)


def replace(tx: Writer, row: Row, values: Mapping[str, Any]) -> None:
    """Write the flow's row, unless another writer has done so since it was read."""
    if not tx.update("flows", equals(id=row["id"], metadata_updated=row["metadata_updated"]), values):
        raise Contended(f"flow {row['id']} has just been changed by another request; try again")


def record_members(tx: Reader, journal: Journal, flow_ids: Collection[str], source_ids: Collection[str]) -> None:
    """Tell of flows and sources that look different because a collection has changed (AMB-19)."""
    sources.record(tx, journal, "sources/updated", source_ids)
    record(tx, journal, flow_ids)


def record(tx: Reader, journal: Journal, flow_ids: Collection[str], moment: str | None = None) -> None:
    """Tell that these flows have changed, where anybody listens."""
    if flow_ids and journal.wanted:
        for doc in documents(tx, tx.select("flows", [In("id", sorted(flow_ids))])):
            journal.flow("flows/updated", doc, moment)
