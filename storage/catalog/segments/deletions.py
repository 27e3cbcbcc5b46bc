"""Deleting flows and segments: at once while they are few, else as a request that a worker carries out (SEG-DEL-*,
FLOW-DEL-*, DREQ-*)."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from storage.catalog import jobs
from storage.catalog.caller import Caller
from storage.catalog.clock import SECOND, rfc3339
from storage.catalog.environment import Environment
from storage.catalog.event_journal import Journal, Subject, change, subject_of_flow
from storage.catalog.flows import flow_rows
from storage.catalog.flows.content_range import (
    CONTENT,
    Span,
    after_deletion,
    inside_content,
    known_content,
    renew_content,
)
from storage.catalog.jobs import FLOW_DELETION, Claim, Jobs
from storage.catalog.objects import references
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.retry import retried
from storage.catalog.segments.segments import SegmentFilter
from storage.errors import Contended, NotFound
from storage.tables.conditions import Compare, Condition, In, equals
from storage.tables.engine import Row, Writer
from storage.timerange import EMPTY, ETERNITY, TimeRange, parse_timerange

ORDERS = {
    "created": Order(("created", "id"), descending=True),
    "expiry": Order(("expiry", "id"), descending=True),
}
_SHOWN = ("timerange_to_delete", "timerange_remaining", "delete_flow", "created_by", "updated", "error")


class Deletions:
    def __init__(self, env: Environment) -> None:
        self._env = env
        self._jobs = Jobs(env)

    @retried
    def delete_segments(self, caller: Caller, flow_id: str, filters: SegmentFilter) -> dict[str, Any] | None:
        """Delete the segments that lie wholly inside the timerange. None once they are gone, else the document of the
        request that will see to it (SEG-DEL-01 to -20)."""
        with change(self._env) as (tx, journal):
            flow = flow_rows.find_writable(tx, caller, flow_id)
            if filters.timerange.is_empty:
                return None
            subject = subject_of_flow(tx, flow_id, flow["source_id"])
            if self._remove_few(tx, journal, subject, flow, filters):
                return None
            return self._request(tx, caller, subject, flow_id, filters, delete_flow=False)

    @retried
    def delete_flow(self, caller: Caller, flow_id: str) -> dict[str, Any] | None:
        """Delete the flow at once, and its segments at once or by a request, whose document is given (FLOW-DEL-01 to
        -12, A59)."""
        with self._env.engine.read_once() as tx:
            source_id = flow_rows.find(tx, caller, flow_id)["source_id"]
        with change(self._env) as (tx, journal):
            row = flow_rows.find_writable(tx, caller, flow_id, f"source:{source_id}")
            if row["source_id"] != source_id:
                raise Contended(f"flow {flow_id} has just been made anew by another request; try again")
            subject = subject_of_flow(tx, flow_id, source_id)
            everything = SegmentFilter()
            done = self._remove_few(tx, journal, subject, row, everything)
            flow_rows.remove(tx, journal, row, self._env.clock())
            return None if done else self._request(tx, caller, subject, flow_id, everything, delete_flow=True)

    def page(self, sort_by: str, request: PageRequest) -> Page:
        """Requests that are not finished, or not long (DREQ-01 to -03)."""
        size = request.size(self._env.limits)
        with self._env.engine.read() as tx:
            rows, next_key = select_page(tx, "deletion_requests", (), ORDERS[sort_by], request, size)
        return Page([_document(row) for row in rows], size, request.reverse, next_key)

    def get(self, request_id: str) -> dict[str, Any]:
        with self._env.engine.read_once() as tx:
            row = tx.get("deletion_requests", id=request_id)
        if row is None:
            raise NotFound(f"there is no flow delete request {request_id}", field="request-id", behaviour="DREQ-04")
        return _document(row)

    @retried
    def step(self, claim: Claim) -> bool:
        """Delete one batch of what was there when the request was made (A59). False once nothing is left of it.

        Raises storage.catalog.jobs.LostLease.
        """
        with change(self._env) as (tx, journal):
            self._jobs.keep(tx, claim)
            request = tx.get("deletion_requests", id=claim.key)
            if request is None or self._advance(tx, journal, request):
                self._jobs.finish(tx, claim)
                return False
        return True

    @retried
    def give_up(self, request_id: str, reason: str) -> None:
        """Show that a request has failed for good; what is left of it stays (DREQ-*)."""
        with self._env.engine.write() as tx:
            request = tx.get("deletion_requests", id=request_id)
            if request is not None:
                now = rfc3339(self._env.clock())
                error = {"type": "deletion_failed", "summary": reason, "time": now}
                values = {"status": "error", "doc": request["doc"] | {"updated": now, "error": error}}
                tx.update("deletion_requests", equals(id=request_id), values)

    @retried
    def forget_finished(self) -> bool:
        """Forget requests that have been done for long enough. False when there were none."""
        finished = [Compare("expiry", "<=", self._env.clock()), Compare("status", "==", "done")]
        with self._env.engine.read_once() as tx:
            if not tx.select("deletion_requests", finished, limit=1, columns=["id"]):
                return False
        with self._env.engine.write() as tx:
            tx.delete("deletion_requests", finished)
        return True

    def _remove_few(self, tx: Writer, journal: Journal, subject: Subject, flow: Row, filters: SegmentFilter) -> bool:
        """Delete all that match, unless they are more than the threshold: then nothing, and False."""
        limit = self._env.limits.async_deletion_threshold
        where = [*_inside(flow["id"], filters), *inside_content(flow)]
        rows = tx.select("segments", where, order=("start_ns",), limit=limit + 1, columns=_REMOVED)
        if len(rows) > limit:
            return False
        content = known_content(flow)
        if rows and filters.object_id is None and content is not None:
            content = after_deletion(content, filters.timerange.bounds, rows[0]["start_ns"], rows[-1]["end_ns"])
        self._remove(tx, journal, subject, flow["id"], rows, content)
        return True

    def _remove(
        self,
        tx: Writer,
        journal: Journal,
        subject: Subject,
        flow_id: str,
        rows: Sequence[Row],
        content: Span | None = None,
    ) -> None:
        """Delete these segments. content: what holds those that are left, where it is known."""
        if not rows:
            return
        for start in range(0, len(rows), 500):
            starts = [row["start_ns"] for row in rows[start : start + 500]]
            tx.delete("segments", [*equals(flow_id=flow_id), In("start_ns", starts)])
        references.remove(tx, self._env, flow_id, [(row["object_id"], row["init_object_id"]) for row in rows])
        known = {} if content is None else dict(zip(CONTENT, content, strict=True))
        tx.update("flows", equals(id=flow_id), {"segments_updated": self._env.clock(), **known})
        journal.segments_deleted(subject, rows)

    def _request(
        self,
        tx: Writer,
        caller: Caller,
        subject: Subject,
        flow_id: str,
        filters: SegmentFilter,
        *,
        delete_flow: bool,
    ) -> dict[str, Any]:
        now = self._env.clock()
        row: Row = {
            "id": str(uuid.uuid4()),
            "flow_id": flow_id,
            "status": "created",
            "created": now,
            "expiry": now + self._env.limits.deletion_request_kept_s * SECOND,
            "doc": {
                "timerange_to_delete": str(filters.timerange),
                "timerange_remaining": str(filters.timerange),
                "object_id": filters.object_id,
                "delete_flow": delete_flow,
                "created_by": caller.name,
                "updated": rfc3339(now),
                "subject": asdict(subject),
            },
        }
        tx.insert("deletion_requests", [row], fresh=True)
        jobs.ensure(tx, now, FLOW_DELETION, [row["id"]])
        return _document(row)

    def _advance(self, tx: Writer, journal: Journal, request: Row) -> bool:
        """Delete a batch; whether that was the last."""
        doc = dict(request["doc"])
        doc.pop("error", None)
        flow_id = request["flow_id"]
        remaining = parse_timerange(doc["timerange_remaining"])
        where = _inside(flow_id, SegmentFilter(remaining, doc["object_id"]))
        tx.lock(f"flow:{flow_id}")
        batch = self._env.limits.deletion_batch
        where.append(Compare("created", "<=", request["created"]))
        rows = tx.select("segments", where, order=("start_ns",), limit=batch, columns=_REMOVED)
        self._remove(tx, journal, Subject(**doc["subject"]), flow_id, rows)
        finished = len(rows) < batch
        left = EMPTY if finished else TimeRange(rows[-1]["end_ns"], remaining.end, remaining.closed)
        now = self._env.clock()
        doc |= {"timerange_remaining": str(left), "updated": rfc3339(now)}
        values: dict[str, Any] = {"doc": doc, "status": "started"}
        if finished:
            values |= {"status": "done", "expiry": now + self._env.limits.deletion_request_kept_s * SECOND}
            if tx.get("flows", id=flow_id) is not None:
                renew_content(tx, flow_id)
        tx.update("deletion_requests", equals(id=request["id"]), values)
        return finished


_REMOVED = ("start_ns", "end_ns", "timerange", "object_id", "init_object_id")
"""What has to be known of a segment to remove it, and to tell of that."""


def _inside(flow_id: str, filters: SegmentFilter) -> list[Condition]:
    """Segments wholly inside the timerange (SEG-DEL-02 to -05)."""
    where: list[Condition] = [*equals(flow_id=flow_id)]
    if filters.object_id is not None:
        where += equals(object_id=filters.object_id)
    if filters.timerange != ETERNITY:
        start, end = filters.timerange.bounds
        where += [Compare("start_ns", ">=", start), Compare("start_ns", "<", end), Compare("end_ns", "<=", end)]
    return where


def _document(row: Row) -> dict[str, Any]:
    """deletion-request.json"""
    fixed = {
        "id": row["id"],
        "flow_id": row["flow_id"],
        "status": row["status"],
        "created": rfc3339(row["created"]),
        "expiry": rfc3339(row["expiry"]),
    }
    return fixed | {name: row["doc"][name] for name in _SHOWN if name in row["doc"]}
