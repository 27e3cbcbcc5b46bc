"""The deletion of a source: of one without flows at once, else of all its flows by one flow delete request (F3)."""

from typing import Any

from storage import error_codes
from storage.catalog import source_lifecycle, sources
from storage.catalog.access.checks import not_found, not_permitted, permissions_on, require, require_before_lock
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.event_journal import EventJournal, write_with_events
from storage.catalog.flows import flow_collections, flow_rows
from storage.catalog.retry import retried
from storage.catalog.segments.dependents import check_source_is_unused
from storage.catalog.segments.flow_delete_requests import FlowDeleteRequests
from storage.catalog.sources import KIND
from storage.change_notes import note
from storage.errors import Forbidden
from storage.preconditions import Preconditions
from storage.tables.conditions import equals
from storage.tables.transaction import Reader, Writer

_BATCH = 500


class SourceDeletions:
    def __init__(self, env: Environment, requests: FlowDeleteRequests) -> None:
        self._env = env
        self._requests = requests

    @retried
    def delete(
        self, caller: Caller, source_id: str, preconditions: Preconditions | None = None, *, cascade: bool = False
    ) -> dict[str, Any] | None:
        """Delete a source.

        cascade: whether to delete its flows too, one after another in the background.

        Returns None if it is gone, else the document of the flow delete request (deletion-request.json).
        Raises: NotFound; Forbidden if the caller may not delete one of the flows, or if one is read-only;
            PreconditionFailed; InUse if there are flows and `cascade` is False.
        """
        require_before_lock(self._env.engine, caller, KIND, source_id, "delete")
        with write_with_events(self._env) as (tx, journal):
            tx.lock(f"source:{source_id}")
            require(tx, caller, KIND, source_id, "delete")
            row = tx.get("sources", id=source_id)
            if row is None:
                raise not_found(KIND, source_id)
            if preconditions is not None:
                preconditions.check_change(sources.source_state(row["doc"]))
            if not cascade:
                tx.lock(flow_collections.LOCK)
                check_source_is_unused(tx, caller, source_id)
            flow_ids = _deletable_flows(tx, caller, source_id)
            if not flow_ids:
                self._delete_alone(tx, journal, source_id)
                return None
            request = self._requests.create_for_source(tx, caller, journal.source_subject(source_id, ()), flow_ids)
            note("flow_delete_request", request["id"])
            return request

    def _delete_alone(self, tx: Writer, journal: EventJournal, source_id: str) -> None:
        """Delete a source without flows."""
        tx.lock(flow_collections.LOCK)
        links = tx.select("source_collections", equals(member_id=source_id), columns=["collector_id"])
        collectors = [link["collector_id"] for link in links]
        changed = source_lifecycle.delete_with_last_flow(tx, journal, source_id, collectors)
        flow_rows.record_collection_changes(tx, journal, (), changed)


def _deletable_flows(tx: Reader, caller: Caller, source_id: str) -> list[str]:
    """The ids of all flows of a source, oldest first.

    Raises: Forbidden if the caller may not delete one of them, or if one is read-only. A flow that is hidden from the
        caller is not named: that a source has flows is known anyway.
    """
    found: list[str] = []
    after = None
    while True:
        rows = tx.select(
            "flows",
            equals(source_id=source_id),
            order=("created", "id"),
            after=after,
            limit=_BATCH,
            columns=["id", "created", "read_only"],
        )
        ids = [row["id"] for row in rows]
        if caller.is_restricted and ids:
            held = permissions_on(tx, caller, "flow", ids)
            if any("delete" not in held.get(id_, ()) for id_ in ids):
                raise not_permitted("source", source_id, "delete")
        protected = next((row["id"] for row in rows if row["read_only"]), None)
        if protected is not None:
            raise Forbidden(
                f"flow {protected} of source {source_id} is read-only",
                code=error_codes.FLOW_READ_ONLY,
                field="source_id",
                behaviour="RO-01",
            )
        found += ids
        if len(rows) < _BATCH:
            return found
        after = [rows[-1]["created"], rows[-1]["id"]]
