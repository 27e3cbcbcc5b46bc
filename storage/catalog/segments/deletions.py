"""The deletion of segments and of flows: at once if the segments are few, else by a flow delete request (SEG-DEL-*,
FLOW-DEL-*)."""

from collections.abc import Callable
from typing import Any

from storage import error_codes
from storage.catalog.access.checks import reading, require_before_lock
from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.event_journal import EventJournal, Subject, write_with_events
from storage.catalog.flows import flow_collections, flow_deletion, flow_rows
from storage.catalog.flows.content_range import content_span_after_deletion, in_content_range, recorded_content_span
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.retry import retried
from storage.catalog.segments import segment_rows
from storage.catalog.segments.dependents import check_flow_is_unused, check_objects_are_unused
from storage.catalog.segments.flow_delete_requests import FlowDeleteRequests
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.change_notes import note
from storage.errors import Contended, Invalid
from storage.preconditions import Preconditions
from storage.tables.rows import FlowRow, SegmentRow
from storage.tables.transaction import Reader, Writer


class Deletions:
    """Deletes segments and flows."""

    def __init__(self, env: Environment, requests: FlowDeleteRequests) -> None:
        self._env = env
        self._requests = requests

    @retried
    def delete_segments(
        self,
        caller: Caller,
        flow_id: str,
        filters: SegmentFilter,
        preconditions: Preconditions | None = None,
        *,
        cascade: bool = True,
    ) -> dict[str, Any] | None:
        """Delete the segments that lie entirely within the timerange (SEG-DEL-01 to -20).

        cascade: False deletes them only if no other flow uses their objects (F3), and no more than the threshold.

        Returns None if they are gone, else the document of the flow delete request (deletion-request.json).
        Raises: NotFound; Forbidden if the flow is read-only; PreconditionFailed; InUse; Invalid if they are too many to
            be checked.
        """
        require_before_lock(self._env.engine, caller, KIND, flow_id, "delete")
        with write_with_events(self._env) as (tx, journal):
            flow = flow_rows.lock_writable(tx, caller, flow_id, preconditions=preconditions, permission="delete")
            if filters.timerange.is_empty:
                return None
            subject = journal.flow_subject(flow_id, flow["source_id"])
            deleted = self._delete_if_few(tx, journal, subject, flow, filters)
            if deleted is not None:
                if not cascade:
                    check_objects_are_unused(tx, caller, flow_id, deleted)
                return None
            if not cascade:
                raise Invalid(
                    f"cascade=false deletes at most {self._env.limits.async_deletion_threshold} segments at a time, but"
                    " more lie in the timerange",
                    code=error_codes.SEGMENTS_TOO_MANY_TO_CHECK,
                    field="timerange",
                )
            request = self._requests.create(tx, caller, subject, flow, filters, delete_flow=False)
            note("flow_delete_request", request["id"])
            return request

    @retried
    def delete_flow(
        self,
        caller: Caller,
        flow_id: str,
        preconditions: Preconditions | None = None,
        check: Callable[[Reader, FlowRow], None] | None = None,
        *,
        cascade: bool = True,
        for_good: bool = False,
    ) -> dict[str, Any] | None:
        """Delete the flow at once, and its segments at once or by a flow delete request (FLOW-DEL-01 to -12, A59).

        If there is a grace period for deleted flows (F13), the flow is kept with its segments until that ends.

        check: called once the flow is locked; raises if it must not be deleted after all. cascade: False deletes it
        only if nothing depends on it (F3). for_good: whether to delete it at once in any case.

        Returns None if everything is gone, else the document of the request (deletion-request.json).
        Raises: NotFound; Forbidden if the flow is read-only; PreconditionFailed; InUse.
        """
        with reading(self._env.engine, caller) as tx:
            source_id = flow_rows.get(tx, caller, flow_id, permission="delete")["source_id"]
        with write_with_events(self._env) as (tx, journal):
            row = flow_rows.lock_writable(
                tx, caller, flow_id, f"source:{source_id}", preconditions=preconditions, permission="delete"
            )
            if row["source_id"] != source_id:
                raise Contended(f"flow {flow_id} has just been created again by another request; try again")
            if check is not None:
                check(tx, row)
            if not cascade:
                tx.lock(flow_collections.LOCK)
                check_flow_is_unused(tx, caller, row, self._env.clock())
            return self.delete_locked(tx, journal, caller, row, for_good=for_good)

    def delete_locked(
        self, tx: Writer, journal: EventJournal, caller: Caller, row: FlowRow, *, for_good: bool = False
    ) -> dict[str, Any] | None:
        """As `delete_flow`, of a flow that is locked together with its source. row: of the flow."""
        now = self._env.clock()
        deletion = None if for_good else flow_deletion.soft_deletion(self._env, now, caller.name)
        if deletion is not None:
            flow_deletion.delete_flow(tx, journal, row, now, deletion)
            note("restorable_until", rfc3339(deletion.expires))
            return None
        subject = journal.flow_subject(row["id"], row["source_id"])
        done = self._delete_if_few(tx, journal, subject, row, SegmentFilter()) is not None
        flow_deletion.delete_flow(tx, journal, row, now)
        return None if done else self._request_all(tx, caller, subject, row)

    def delete_reported_segments(
        self, tx: Writer, caller: Caller, subject: Subject, row: FlowRow
    ) -> dict[str, Any] | None:
        """Delete the segments of a flow that has gone, at once or by a flow delete request, as `delete_flow` does.

        They have been reported as deleted before. subject: the flow, as that was. row: its row as it was.
        """
        if self._delete_if_few(tx, None, subject, row, SegmentFilter()) is not None:
            return None
        return self._request_all(tx, caller, subject, row, are_reported=True)

    def _request_all(
        self, tx: Writer, caller: Caller, subject: Subject, row: FlowRow, *, are_reported: bool = False
    ) -> dict[str, Any]:
        request = self._requests.create(
            tx, caller, subject, row, SegmentFilter(), delete_flow=True, are_reported=are_reported
        )
        note("flow_delete_request", request["id"])
        return request

    def _delete_if_few(
        self, tx: Writer, journal: EventJournal | None, subject: Subject, flow: FlowRow, filters: SegmentFilter
    ) -> list[SegmentRow] | None:
        """Delete all segments that pass the filters, and return them.

        Returns None, deleting none, if they exceed the threshold.
        """
        threshold = self._env.limits.async_deletion_threshold
        where = [*filters.inside(flow["id"]), *in_content_range(flow)]
        columns = segment_rows.DELETION_COLUMNS
        rows = tx.select("segments", where, order=("start_ns",), limit=threshold + 1, columns=columns)
        if len(rows) > threshold:
            return None
        remaining = recorded_content_span(flow)
        if rows and filters.object_id is None and remaining is not None:
            deleted = filters.timerange.bounds
            remaining = content_span_after_deletion(remaining, deleted, rows[0]["start_ns"], rows[-1]["end_ns"])
        segment_rows.delete(tx, self._env, journal, subject, flow, rows, remaining)
        note("segments_deleted", len(rows))
        return rows
