"""The deletion of a flow from the catalogue: its row, tags and collections, and its source if it was the last flow."""

from storage.catalog import source_lifecycle
from storage.catalog.clock import rfc3339
from storage.catalog.event_journal import EventJournal, flow_subject
from storage.catalog.flows import flow_collections, flow_rows
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.flows.metadata_version import next_metadata_version
from storage.catalog.flows.source_collections import derive_source_collection
from storage.tables.conditions import In, equals
from storage.tables.engine import Writer
from storage.tables.rows import FlowRow


def delete_flow(tx: Writer, journal: EventJournal, row: FlowRow, now: int) -> None:
    """Delete the flow, and remove it from the flows that collect it (FLOW-DEL-10, A28).

    The caller holds the locks of the flow and of its source, and deletes its segments. now: microseconds since 1970.
    """
    flow_id = row["id"]
    tx.lock(flow_collections.LOCK)
    subject = flow_subject(tx, flow_id, row["source_id"])
    tx.delete("flows", equals(id=flow_id))
    tx.delete("tags", equals(kind=KIND, owner_id=flow_id))
    members = {item["id"] for item in row["doc"].get("flow_collection", [])}
    tx.delete("collections", equals(collector_id=flow_id))
    affected_sources = {row["source_id"]}
    for collector in tx.select("flows", [In("id", sorted(subject.flow_collected_by))]):
        _remove_member(tx, collector, flow_id, now)
        affected_sources.add(collector["source_id"])
    journal.flow_deleted(subject)
    changed = {id_ for source_id in affected_sources for id_ in derive_source_collection(tx, source_id)}
    changed |= source_lifecycle.delete_with_last_flow(tx, journal, row["source_id"], subject.source_collected_by)
    flow_rows.record_collection_changes(tx, journal, members | set(subject.flow_collected_by), changed)


def _remove_member(tx: Writer, collector: FlowRow, member_id: str, now: int) -> None:
    doc = dict(collector["doc"])
    doc["flow_collection"] = [item for item in doc.get("flow_collection", []) if item["id"] != member_id]
    doc["metadata_version"] = next_metadata_version(None, None)
    doc["metadata_updated"] = rfc3339(now)
    flow_rows.update(tx, collector, {"metadata_updated": now, "doc": doc})
    flow_collections.replace_members(tx, collector["id"], doc["flow_collection"])
