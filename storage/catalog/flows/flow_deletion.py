"""The deletion of a flow from the catalogue: its row, tags and collections, and its source if it was the last flow."""

from collections.abc import Sequence
from typing import Any, Protocol

from storage import error_codes
from storage.catalog import kept_rows, source_lifecycle
from storage.catalog.access.checks import find_all_permissions, not_found
from storage.catalog.access.class_rows import delete_classes_with_owner
from storage.catalog.caller import Caller
from storage.catalog.clock import SECOND, rfc3339
from storage.catalog.environment import Environment
from storage.catalog.event_journal import EventJournal
from storage.catalog.flows import flow_collections, flow_rows
from storage.catalog.flows.content_range import content_timerange
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.flows.metadata_version import next_metadata_version
from storage.catalog.flows.source_collections import derive_source_collections
from storage.catalog.kept_rows import SoftDeletion, keep_flow
from storage.catalog.live_anchors import delete_anchor
from storage.errors import AlreadyExists, TamsError
from storage.tables.conditions import In, equals
from storage.tables.rows import DeletedFlowRow, Document, FlowRow
from storage.tables.transaction import Reader, Writer
from storage.timerange import ETERNITY


class KeptFlows(Protocol):
    """Deleted flows that can be restored, for a new flow that has the id of one (FLOW-DEL-12)."""

    def lock_replaceable(self, tx: Writer, caller: Caller, flow_id: str, source_id: str) -> DeletedFlowRow | None:
        """The row of a deleted flow that gives way to a new one; None if none is kept.

        source_id: of the new flow. Its lock and that of the flow are held; that of another source is taken.

        Raises: NotFound if it is hidden from the caller; AlreadyExists if the caller may not delete it.
        """

    def delete(self, tx: Writer, row: DeletedFlowRow) -> dict[str, Any] | None:
        """Delete the flow for good, with its segments, and its source if that is kept for no other flow.

        row: as it is kept. The locks of the flow and of its source are held.

        Returns None if everything is gone, else the document of the flow delete request (deletion-request.json).
        """


def being_deleted(tx: Reader, flow_ids: Sequence[str]) -> set[str]:
    """Those of the ids whose earlier flows still have segments to be deleted (A59)."""
    pending = [In("flow_id", flow_ids), In("status", ("created", "started", "error"))]
    rows = tx.select("deletion_requests", pending, columns=["flow_id", "doc"])
    return {row["flow_id"] for row in rows if has_segments_to_delete(row["doc"])}


def has_segments_to_delete(doc: Document) -> bool:
    """Whether an unfinished flow delete request has segments of a deleted flow to delete. doc: of the request.

    The request of a source goes from flow to flow, and between two of them it has none.
    """
    return doc.get("flow") is not None if "source_id" in doc else bool(doc["delete_flow"])


def soft_deletion(env: Environment, now: int, deleted_by: str) -> SoftDeletion | None:
    """The deletion of a flow that is kept for the grace period; None if there is no grace period (F13).

    now: microseconds since 1970. deleted_by: the caller.
    """
    grace_s = env.limits.soft_delete_grace_s
    return SoftDeletion(now, now + grace_s * SECOND, deleted_by) if grace_s else None


def find_restorable(tx: Reader, caller: Caller, flow_ids: Sequence[str]) -> dict[str, TamsError]:
    """The errors for those of the ids whose earlier flows can still be restored.

    NotFound where the caller has no permission on that flow, as for one that exists; else AlreadyExists.
    """
    found: dict[str, TamsError] = {}
    rows = tx.select("deleted_flows", [In("id", flow_ids)], columns=["id", "expires"])
    if not rows:
        return found
    permissions = find_all_permissions(tx, caller, kept_rows.FLOW, [row["id"] for row in rows])
    for row in rows:
        flow_id = row["id"]
        if not permissions.get(flow_id):
            found[flow_id] = not_found(KIND, flow_id)
            continue
        found[flow_id] = AlreadyExists(
            f"flow {flow_id} has been deleted, but can be restored until {rfc3339(row['expires'])}: restore it, or"
            " delete it for good (DELETE with deleted=true)",
            code=error_codes.FLOW_RESTORABLE,
            field="flow_id",
        )
    return found


def delete_flow(
    tx: Writer, journal: EventJournal, row: FlowRow, now: int, deletion: SoftDeletion | None = None
) -> None:
    """Delete the flow, and remove it from the flows that collect it (FLOW-DEL-10, A28).

    The caller holds the locks of the flow and of its source, and deletes its segments. now: microseconds since 1970.
    deletion: keeps the flow, so that it can be restored with its segments, which stay, but are
    reported as deleted.
    """
    flow_id = row["id"]
    tx.lock(flow_collections.LOCK)
    subject = journal.flow_subject(flow_id, row["source_id"])
    tx.delete("flows", equals(id=flow_id))
    tx.delete("flows_to_delete", equals(flow_id=flow_id))  # a flow that is restored is none of them
    tx.delete("tags", equals(kind=KIND, owner_id=flow_id))
    delete_anchor(tx, flow_id)
    delete_classes_with_owner(tx, journal.rules, KIND, flow_id, row["doc"].get("tags", {}))
    members = {item["id"] for item in row["doc"].get("flow_collection", [])}
    tx.delete("collections", equals(collector_id=flow_id))
    if deletion is None:
        kept_rows.forget_places(tx, flow_id)
    else:
        keep_flow(tx, journal.rules, row, subject, deletion)
        if journal.wanted:
            journal.content_deleted(subject, content_timerange(tx, row, ETERNITY))
    journal.flow_deleted(subject)
    affected_sources = {row["source_id"]} if members else set()
    for collector in tx.select("flows", [In("id", sorted(subject.flow_collected_by))]):
        _remove_member(tx, collector, flow_id, now)
        affected_sources.add(collector["source_id"])
    changed = derive_source_collections(tx, affected_sources)
    changed |= source_lifecycle.delete_with_last_flow(
        tx, journal, row["source_id"], subject.source_collected_by, deletion
    )
    flow_rows.record_collection_changes(tx, journal, members | set(subject.flow_collected_by), changed)


def _remove_member(tx: Writer, collector: FlowRow, member_id: str, now: int) -> None:
    doc = dict(collector["doc"])
    doc["flow_collection"] = [item for item in doc.get("flow_collection", []) if item["id"] != member_id]
    doc["metadata_version"] = next_metadata_version(None, None)
    doc["metadata_updated"] = rfc3339(now)
    flow_rows.update(tx, collector, {"metadata_updated": now, "doc": doc})
    flow_collections.replace_members(tx, collector["id"], doc["flow_collection"])
