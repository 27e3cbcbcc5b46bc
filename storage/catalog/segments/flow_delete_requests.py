"""Flow delete requests: deletions of so many segments that a worker carries them out in batches (DREQ-*)."""

import uuid
from collections.abc import Sequence
from typing import Any

from storage import error_codes
from storage.catalog import job_queue
from storage.catalog.access.checks import not_permitted
from storage.catalog.access_rules import UNTAGGED
from storage.catalog.caller import Caller
from storage.catalog.clock import SECOND, rfc3339
from storage.catalog.environment import Environment
from storage.catalog.event_journal import EventJournal, Subject, write_with_events
from storage.catalog.flows.content_range import refresh_content_span
from storage.catalog.job_kinds import FLOW_DELETION
from storage.catalog.jobs import Claim, Jobs
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.retry import retried
from storage.catalog.segments import segment_rows
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.catalog.segments.source_deletion_steps import (
    SourceDeletionStep,
    error_of,
    has_ended,
    is_of_source,
    record_flows,
)
from storage.errors import NotFound
from storage.tables.conditions import Compare, In, equals
from storage.tables.limits import MESSAGE, clip
from storage.tables.rows import DeletionRequestRow, FlowRow
from storage.tables.transaction import Reader, Writer
from storage.timerange import EMPTY, ETERNITY, TimeRange, parse_timerange

ORDERS = {
    "created": Order(("created", "id"), descending=True),
    "expiry": Order(("expiry", "id"), descending=True),
}
_BATCH = 100
_SHOWN_MEMBERS = (
    *("timerange_to_delete", "timerange_remaining", "delete_flow", "created_by", "updated", "error"),
    *("source_id", "flows_to_delete", "flows_deleted"),
)


class FlowDeleteRequests:
    """Creates, shows and carries out flow delete requests."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._jobs = Jobs(env)

    def page(self, sort_by: str, request: PageRequest) -> Page:
        """A page of the requests that are unfinished or finished recently (DREQ-01, -02). sort_by: a key of ORDERS."""
        size = request.size(self._env.limits)
        with self._env.engine.read() as tx:
            rows, next_key = select_page(tx, "deletion_requests", (), ORDERS[sort_by], request, size)
        return Page([_document(row) for row in rows], size, request.reverse, next_key)

    def get(self, caller: Caller, request_id: str) -> dict[str, Any]:
        """The document of a request (deletion-request.json).

        The caller needs permission to delete the flow as it was when it was deleted (AUTHZ-13).

        Raises: NotFound; Forbidden if the caller has other permissions only.
        """
        with self._env.engine.read_once() as tx:
            row = tx.get("deletion_requests", id=request_id)
        classes = None if row is None else row["doc"]["subject"].get("classes")
        found = caller.permissions([UNTAGGED] if classes is None else classes)
        if row is None or not found:
            raise NotFound(
                f"there is no flow delete request {request_id}",
                code=error_codes.DELETE_REQUEST_NOT_FOUND,
                field="request_id",
                behaviour="DREQ-04",
            )
        if "delete" not in found:
            if is_of_source(row):  # the flow that is being deleted may be hidden from the caller
                raise not_permitted("source", row["doc"]["source_id"], "delete")
            raise not_permitted("flow", row["flow_id"], "delete")
        return _document(row)

    def create(
        self,
        tx: Writer,
        caller: Caller,
        subject: Subject,
        flow: FlowRow,
        filters: SegmentFilter,
        *,
        delete_flow: bool,
        are_reported: bool = False,
    ) -> dict[str, Any]:
        """Create a request and its job, and return its document (deletion-request.json).

        subject: the flow, for the events of the deletion. flow: its row, which is locked. delete_flow: whether the flow
        itself has been deleted. are_reported: whether there have been events about its segments before.
        """
        assert subject.flow_id is not None
        now = segment_rows.next_update(flow, self._env.clock())
        row: DeletionRequestRow = {
            "id": str(uuid.uuid4()),
            "flow_id": subject.flow_id,
            "status": "created",
            "created": now,
            "expiry": self._expiry(now),
            "doc": {
                "timerange_to_delete": str(filters.timerange),
                "timerange_remaining": str(filters.timerange),
                "object_id": filters.object_id,
                "delete_flow": delete_flow,
                "are_reported": are_reported,
                "created_by": caller.name,
                "updated": rfc3339(now),
                "subject": subject.stored(tx),
            },
        }
        tx.insert("deletion_requests", [row], fresh=True)
        tx.update("flows", equals(id=flow["id"]), {"segments_updated": now})
        job_queue.enqueue(tx, self._env.clock(), FLOW_DELETION, [row["id"]])
        return _document(row)

    def create_for_source(
        self, tx: Writer, caller: Caller, subject: Subject, flow_ids: Sequence[str]
    ) -> dict[str, Any]:
        """As `create`, for the deletion of a source with all of its flows. subject: the source, which is locked.

        The request names the flow that is being deleted; the first one until it begins.
        """
        now = self._env.clock()
        row: DeletionRequestRow = {
            "id": str(uuid.uuid4()),
            "flow_id": flow_ids[0],
            "status": "created",
            "created": now,
            "expiry": self._expiry(now),
            "doc": {
                "timerange_to_delete": str(ETERNITY),
                "timerange_remaining": str(ETERNITY),
                "delete_flow": True,
                "created_by": caller.name,
                "updated": rfc3339(now),
                "subject": subject.stored(tx),
                "source_id": subject.source_id,
                "flows_to_delete": len(flow_ids),
                "flows_deleted": 0,
                "flow": None,
                "kept": 0,
            },
        }
        tx.insert("deletion_requests", [row], fresh=True)
        record_flows(tx, row["id"], flow_ids)
        job_queue.enqueue(tx, now, FLOW_DELETION, [row["id"]])
        return _document(row)

    @retried
    def delete_batch(self, claim: Claim) -> bool:
        """Delete one batch of the segments that existed when the request was made (A59). Returns False when it is done.

        Raises: storage.catalog.jobs.LeaseLost.
        """
        with write_with_events(self._env) as (tx, journal):
            self._jobs.renew_within(tx, claim)
            request = tx.get("deletion_requests", id=claim.key)
            delete = self._delete_batch_of_source if request and is_of_source(request) else self._delete_batch
            if request is None or delete(tx, journal, request):
                self._jobs.finish(tx, claim)
                return False
        return True

    @retried
    def mark_failed(self, request_id: str, reason: str) -> None:
        """Set the request's status to error; the segments that are left stay (DREQ-06, -08). reason: one sentence."""
        with self._env.engine.write() as tx:
            request = tx.get("deletion_requests", id=request_id)
            if request is not None:
                now = rfc3339(self._env.clock())
                error = {"type": "deletion_failed", "summary": clip(reason, MESSAGE), "time": now}
                values = {"status": "error", "doc": request["doc"] | {"updated": now, "error": error}}
                tx.update("deletion_requests", equals(id=request_id), values)

    @retried
    def remove_expired(self, now: int) -> bool:
        """Remove requests that have expired by `now` (DREQ-09). Returns False if there were none.

        Those that failed stay, since they can be retried.
        """
        expired = [Compare("expiry", "<=", now), Compare("status", "==", "done")]
        with self._env.engine.read() as tx:
            any_done = bool(tx.select("deletion_requests", expired, limit=1, columns=["id"]))
            ended = _ended_with_error(tx, now)
        if not any_done and not ended:
            return False
        with self._env.engine.write() as tx:
            tx.delete("deletion_requests", expired)
            if ended:
                tx.delete("deletion_requests", [In("id", ended)])
        return True

    def _delete_batch(self, tx: Writer, journal: EventJournal, request: DeletionRequestRow) -> bool:
        """Delete a batch and update the request; whether that was the last batch."""
        doc = dict(request["doc"])
        doc.pop("error", None)
        flow_id = request["flow_id"]
        remaining = parse_timerange(doc["timerange_remaining"])
        where = SegmentFilter(remaining, doc["object_id"]).inside(flow_id)
        where.append(Compare("created", "<=", request["created"]))
        batch_size = self._env.limits.deletion_batch
        tx.lock(f"flow:{flow_id}")
        flow = tx.get("flows", id=flow_id)
        columns = segment_rows.DELETION_COLUMNS
        rows = tx.select("segments", where, order=("start_ns",), limit=batch_size, columns=columns)
        reported_by = None if doc.get("are_reported") else journal
        segment_rows.delete(tx, self._env, reported_by, Subject(**doc["subject"]), flow, rows)
        is_last = len(rows) < batch_size
        left = EMPTY if is_last else TimeRange(rows[-1]["end_ns"], remaining.end, remaining.closed)
        now = self._env.clock()
        doc |= {"timerange_remaining": str(left), "updated": rfc3339(now)}
        values: dict[str, Any] = {"doc": doc, "status": "started"}
        if is_last:
            values |= {"status": "done", "expiry": self._expiry(now)}
            if flow is not None:
                refresh_content_span(tx, flow_id)
        tx.update("deletion_requests", equals(id=request["id"]), values)
        return is_last

    def _delete_batch_of_source(self, tx: Writer, journal: EventJournal, request: DeletionRequestRow) -> bool:
        """As `_delete_batch`, for a source with all of its flows."""
        step = SourceDeletionStep(tx, journal, self._env, request)
        is_last = step.run()
        now, doc = self._env.clock(), step.doc
        doc["updated"] = rfc3339(now)
        doc.pop("error", None)
        values: dict[str, Any] = {"flow_id": step.flow_id, "doc": doc, "status": "started"}
        if is_last:
            error = error_of(doc, now)
            doc |= {"timerange_remaining": str(EMPTY)} if error is None else {"error": error}
            values |= {"status": "done" if error is None else "error", "expiry": self._expiry(now)}
        tx.update("deletion_requests", equals(id=request["id"]), values)
        return is_last

    def _expiry(self, now: int) -> int:
        return now + self._env.limits.deletion_request_retention_s * SECOND


def _ended_with_error(tx: Reader, now: int) -> list[str]:
    """The ids of a batch of expired requests that have the status error, but have come to their end."""
    where = [Compare("expiry", "<=", now), Compare("status", "==", "error")]
    found: list[str] = []
    order, after = ("expiry", "id"), None
    while len(found) < _BATCH:
        rows = tx.select(
            "deletion_requests", where, order=order, after=after, limit=_BATCH, columns=["id", "expiry", "doc"]
        )
        found += [row["id"] for row in rows if has_ended(row["doc"])]
        if len(rows) < _BATCH:
            break
        after = [rows[-1]["expiry"], rows[-1]["id"]]
    return found


def _document(row: DeletionRequestRow) -> dict[str, Any]:
    """deletion-request.json"""
    columns = {
        "id": row["id"],
        "flow_id": row["flow_id"],
        "status": row["status"],
        "created": rfc3339(row["created"]),
        "expiry": rfc3339(row["expiry"]),
    }
    return columns | {name: row["doc"][name] for name in _SHOWN_MEMBERS if name in row["doc"]}
