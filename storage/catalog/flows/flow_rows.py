"""Rows of flows: how they are read, locked, updated and turned into documents, and the events of a change (FLOW-*)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from storage.catalog import sources
from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339, rfc3339_seconds
from storage.catalog.event_journal import EventJournal
from storage.catalog.flows import flow_collections, flow_rules
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.flows.metadata_version import flow_state
from storage.errors import Contended, NotFound
from storage.preconditions import Preconditions
from storage.tables.conditions import Compare, In, equals
from storage.tables.engine import Reader, Writer
from storage.tables.rows import FlowRow


def get(tx: Reader, caller: Caller, flow_id: str) -> FlowRow:
    """The flow's row. Raises: NotFound."""
    row = get_if_present(tx, caller, flow_id)
    if row is None:
        raise NotFound(f"there is no flow {flow_id}", field="flow_id", behaviour="FLOW-GET-02")
    return row


def get_if_present(tx: Reader, caller: Caller, flow_id: str, columns: Sequence[str] | None = None) -> FlowRow | None:
    """The flow's row, or these columns of it; None if there is no such flow."""
    rows = tx.select("flows", [Compare("id", "==", flow_id), *caller.visible(KIND)], limit=1, columns=columns)
    return rows[0] if rows else None


def lock_writable(
    tx: Writer, caller: Caller, flow_id: str, *more_locks: str, preconditions: Preconditions | None = None
) -> FlowRow:
    """Lock the flow, and return its row.

    Raises: NotFound; Forbidden if the flow is read-only (A33); PreconditionFailed if the flow does not meet them.
    """
    tx.lock(f"flow:{flow_id}", *more_locks)
    row = get(tx, caller, flow_id)
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
        for doc in documents(tx, tx.select("flows", [In("id", sorted(flow_ids))])):
            journal.flow("flows/updated", doc, moment)


def record_collection_changes(
    tx: Reader, journal: EventJournal, flow_ids: Collection[str], source_ids: Collection[str]
) -> None:
    """Record updates of flows and sources whose documents have changed because a collection has (AMB-19)."""
    sources.record_events(tx, journal, "sources/updated", source_ids)
    record_updates(tx, journal, flow_ids)
