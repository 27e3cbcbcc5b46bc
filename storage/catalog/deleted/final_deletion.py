"""The deletion for good of a deleted flow: when its grace period ends, on request, or because its id is used again."""

from typing import Any

from storage.catalog import kept_rows
from storage.catalog.access.checks import find_permissions
from storage.catalog.caller import Caller
from storage.catalog.event_journal import Subject
from storage.catalog.flows import flow_collections
from storage.catalog.flows.flow_deletion import KeptFlows, find_restorable
from storage.catalog.segments.deletions import Deletions
from storage.tables.conditions import equals
from storage.tables.rows import DeletedFlowRow
from storage.tables.transaction import Writer


class FinalDeletion(KeptFlows):
    """Deletes flows that are kept. There are no more events: they have been reported as deleted when they were."""

    def __init__(self, deletions: Deletions) -> None:
        self._deletions = deletions

    def lock_replaceable(self, tx: Writer, caller: Caller, flow_id: str, source_id: str) -> DeletedFlowRow | None:
        error = find_restorable(tx, caller, [flow_id]).get(flow_id)
        if error is None:
            return None
        if not caller.may(["delete"]) or "delete" not in find_permissions(tx, caller, kept_rows.FLOW, flow_id):
            raise error
        row = tx.get("deleted_flows", id=flow_id)
        if row is not None and row["source_id"] != source_id:
            tx.lock(f"source:{row['source_id']}")
        return row

    def delete(self, tx: Writer, row: DeletedFlowRow) -> dict[str, Any] | None:
        flow_id, source_id = row["id"], row["source_id"]
        kept_rows.forget(tx, kept_rows.FLOW, flow_id)
        by = Caller(row["deleted_by"], frozenset())
        request = self._deletions.delete_reported_segments(tx, by, Subject(**row["subject"]), row)
        tx.lock(flow_collections.LOCK)
        kept_rows.forget_places(tx, flow_id)
        if not tx.select("deleted_flows", equals(source_id=source_id), limit=1, columns=["id"]):
            kept_rows.forget(tx, kept_rows.SOURCE, source_id)
        return request
