"""The deletion of segments and of flows: at once if the segments are few, else by a flow delete request (SEG-DEL-*,
FLOW-DEL-*)."""

from typing import Any

from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.event_journal import EventJournal, Subject, flow_subject, write_with_events
from storage.catalog.flows import flow_deletion, flow_rows
from storage.catalog.flows.content_range import content_span_after_deletion, in_content_range, recorded_content_span
from storage.catalog.retry import retried
from storage.catalog.segments import segment_rows
from storage.catalog.segments.flow_delete_requests import FlowDeleteRequests
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.errors import Contended
from storage.preconditions import Preconditions
from storage.tables.engine import Writer
from storage.tables.rows import FlowRow


class Deletions:
    """Deletes segments and flows."""

    def __init__(self, env: Environment, requests: FlowDeleteRequests) -> None:
        self._env = env
        self._requests = requests

    @retried
    def delete_segments(
        self, caller: Caller, flow_id: str, filters: SegmentFilter, preconditions: Preconditions | None = None
    ) -> dict[str, Any] | None:
        """Delete the segments that lie entirely within the timerange (SEG-DEL-01 to -20).

        Returns None if they are gone, else the document of the flow delete request (deletion-request.json).
        Raises: NotFound; Forbidden if the flow is read-only; PreconditionFailed.
        """
        with write_with_events(self._env) as (tx, journal):
            flow = flow_rows.lock_writable(tx, caller, flow_id, preconditions=preconditions)
            if filters.timerange.is_empty:
                return None
            subject = flow_subject(tx, flow_id, flow["source_id"])
            if self._delete_if_few(tx, journal, subject, flow, filters):
                return None
            return self._requests.create(tx, caller, subject, filters, delete_flow=False)

    @retried
    def delete_flow(
        self, caller: Caller, flow_id: str, preconditions: Preconditions | None = None
    ) -> dict[str, Any] | None:
        """Delete the flow at once, and its segments at once or by a flow delete request (FLOW-DEL-01 to -12, A59).

        Returns None if everything is gone, else the document of the request (deletion-request.json).
        Raises: NotFound; Forbidden if the flow is read-only; PreconditionFailed.
        """
        with self._env.engine.read_once() as tx:
            source_id = flow_rows.get(tx, caller, flow_id)["source_id"]
        with write_with_events(self._env) as (tx, journal):
            row = flow_rows.lock_writable(tx, caller, flow_id, f"source:{source_id}", preconditions=preconditions)
            if row["source_id"] != source_id:
                raise Contended(f"flow {flow_id} has just been created again by another request; try again")
            subject = flow_subject(tx, flow_id, source_id)
            all_segments = SegmentFilter()
            done = self._delete_if_few(tx, journal, subject, row, all_segments)
            flow_deletion.delete_flow(tx, journal, row, self._env.clock())
            return None if done else self._requests.create(tx, caller, subject, all_segments, delete_flow=True)

    def _delete_if_few(
        self, tx: Writer, journal: EventJournal, subject: Subject, flow: FlowRow, filters: SegmentFilter
    ) -> bool:
        """Delete all segments that pass the filters. Returns False, deleting none, if they exceed the threshold."""
        threshold = self._env.limits.async_deletion_threshold
        where = [*filters.inside(flow["id"]), *in_content_range(flow)]
        columns = segment_rows.DELETION_COLUMNS
        rows = tx.select("segments", where, order=("start_ns",), limit=threshold + 1, columns=columns)
        if len(rows) > threshold:
            return False
        remaining = recorded_content_span(flow)
        if rows and filters.object_id is None and remaining is not None:
            deleted = filters.timerange.bounds
            remaining = content_span_after_deletion(remaining, deleted, rows[0]["start_ns"], rows[-1]["end_ns"])
        segment_rows.delete(tx, self._env, journal, subject, rows, remaining)
        return True
