"""Rows of flows: how they are read, locked, updated and turned into documents, and the events of a change (FLOW-*)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from storage.catalog import sources
from storage.catalog.access.checks import find_permissions, not_found, not_permitted, require
from storage.catalog.access_rules import Permission
from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339, rfc3339_seconds
from storage.catalog.event_journal import EventJournal, pages
from storage.catalog.flows import flow_collections, flow_rules
from storage.catalog.flows.content_range import CONTENT_COLUMNS
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.flows.metadata_version import flow_state
from storage.errors import Contended
from storage.preconditions import Preconditions
from storage.tables.conditions import In, equals
from storage.tables.outline import COLUMNS as OUTLINE_COLUMNS
from storage.tables.rows import FlowRow
from storage.tables.transaction import Reader, Writer

DOCUMENT_COLUMNS = ("id", "created", "segments_updated", "doc")
"""The columns of a flow that `documents` needs."""
CONTENT_WRITER_COLUMNS = (
    *("id", "source_id", "container", "init_segments", "read_only", "created", "segments_updated"),
    *CONTENT_COLUMNS,
    *OUTLINE_COLUMNS,
)
"""The columns of a flow that writers of its objects and segments need. Its document may be long."""


def get(
    tx: Reader,
    caller: Caller,
    flow_id: str,
    columns: Sequence[str] | None = None,
    permission: Permission = "read",
) -> FlowRow:
    """The flow's row, or these columns of it.

    Raises: NotFound; Forbidden if the caller has other permissions on the flow than this.
    """
    require(tx, caller, KIND, flow_id, permission)
    row = _find(tx, flow_id, columns)
    if row is None:
        raise not_found(KIND, flow_id)
    return row


def get_if_present(
    tx: Reader,
    caller: Caller,
    flow_id: str,
    columns: Sequence[str] | None = None,
    permission: Permission = "read",
) -> FlowRow | None:
    """The flow's row, or these columns of it; None if there is no such flow, or none that the caller may know of.

    Raises: Forbidden if the caller has other permissions on the flow than this.
    """
    if caller.is_restricted:
        found = find_permissions(tx, caller, KIND, flow_id)
        if not found:
            return None
        if permission not in found:
            raise not_permitted(KIND, flow_id, permission)
    return _find(tx, flow_id, columns)


def get_to_replace(tx: Reader, caller: Caller, flow_id: str) -> FlowRow | None:
    """The row of a flow that is to be replaced; None if the id is free.

    Raises: NotFound if the flow is hidden from the caller; Forbidden if it may not write it.
    """
    row = _find(tx, flow_id, None)
    if row is not None:
        require(tx, caller, KIND, flow_id, "write")
    return row


def _find(tx: Reader, flow_id: str, columns: Sequence[str] | None) -> FlowRow | None:
    rows = tx.select("flows", equals(id=flow_id), limit=1, columns=columns)
    return rows[0] if rows else None


def lock_writable(
    tx: Writer,
    caller: Caller,
    flow_id: str,
    *more_locks: str,
    preconditions: Preconditions | None = None,
    columns: Sequence[str] | None = None,
    permission: Permission = "write",
) -> FlowRow:
    """Lock the flow, and return its row, or at least these columns of it.

    Raises: NotFound; Forbidden if the caller lacks the permission or the flow is read-only (A33); PreconditionFailed if
        the flow does not meet them.
    """
    tx.lock(f"flow:{flow_id}", *more_locks)
    row = get(tx, caller, flow_id, columns if preconditions is None else None, permission)
    flow_rules.check_writable(row)
    if preconditions is not None:
        preconditions.check_change(flow_state(row["doc"]))
    return row


def update(tx: Writer, row: FlowRow, values: Mapping[str, Any]) -> None:
    """Update the flow's row. Raises: Contended if another writer has updated it since `row` was read."""
    if not tx.update("flows", equals(id=row["id"], metadata_updated=row["metadata_updated"]), values):
        raise Contended(f"flow {row['id']} has just been changed by another request; try again")


def documents(tx: Reader, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The complete documents: as stored, with collected_by and segments_updated (FLOW-GET-12, A67).

    `created` is in whole seconds (A75).
    """
    ids = [row["id"] for row in rows]
    collectors = flow_collections.collectors_by_member(tx, ids)
    found = []
    for row in rows:
        doc = {**row["doc"], "created": rfc3339_seconds(row["created"])}
        if row["id"] in collectors:
            doc["collected_by"] = collectors[row["id"]]
        if row["segments_updated"] is not None:
            doc["segments_updated"] = rfc3339(row["segments_updated"])
        found.append(doc)
    return found


def record_updates(tx: Reader, journal: EventJournal, flow_ids: Collection[str], moment: str | None = None) -> None:
    """Record flows/updated for each of these flows that exists, if any webhook is listening.

    moment: RFC 3339 time of the change; now by default.
    """
    if flow_ids and journal.wanted:
        for ids in pages(flow_ids):
            found = documents(tx, tx.select("flows", [In("id", ids)]))
            journal.flows("flows/updated", found, moment)


def record_collection_changes(
    tx: Reader, journal: EventJournal, flow_ids: Collection[str], source_ids: Collection[str]
) -> None:
    """Record updates of flows and sources whose documents have changed because a collection has (AMB-19)."""
    sources.record_events(tx, journal, "sources/updated", source_ids)
    record_updates(tx, journal, flow_ids)
