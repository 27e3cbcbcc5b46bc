"""Flow delete requests: deletions of so many segments that a worker carries them out in batches (DREQ-*)."""

import uuid
from dataclasses import asdict
from typing import Any

from storage.catalog import jobs
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
from storage.errors import NotFound
from storage.tables.conditions import Compare, equals
from storage.tables.engine import Writer
from storage.tables.limits import MESSAGE, clip
from storage.tables.rows import DeletionRequestRow
from storage.timerange import EMPTY, TimeRange, parse_timerange

ORDERS = {
    "created": Order(("created", "id"), descending=True),
    "expiry": Order(("expiry", "id"), descending=True),
}
_SHOWN_MEMBERS = ("timerange_to_delete", "timerange_remaining", "delete_flow", "created_by", "updated", "error")


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

    def get(self, request_id: str) -> dict[str, Any]:
        """The document of a request (deletion-request.json). Raises: NotFound."""
        with self._env.engine.read_once() as tx:
            row = tx.get("deletion_requests", id=request_id)
        if row is None:
            raise NotFound(f"there is no flow delete request {request_id}", field="request_id", behaviour="DREQ-04")
        return _document(row)

    def create(
        self, tx: Writer, caller: Caller, subject: Subject, filters: SegmentFilter, *, delete_flow: bool
    ) -> dict[str, Any]:
        """Create a request and its job, and return its document (deletion-request.json).

        subject: the flow, for the events of the deletion. delete_flow: whether the flow itself has been deleted.
        """
        assert subject.flow_id is not None
        now = self._env.clock()
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
                "created_by": caller.name,
                "updated": rfc3339(now),
                "subject": asdict(subject),
            },
        }
        tx.insert("deletion_requests", [row], fresh=True)
        jobs.enqueue(tx, now, FLOW_DELETION, [row["id"]])
        return _document(row)

    @retried
    def delete_batch(self, claim: Claim) -> bool:
        """Delete one batch of the segments that existed when the request was made (A59). Returns False when it is done.

        Raises: storage.catalog.jobs.LeaseLost.
        """
        with write_with_events(self._env) as (tx, journal):
            self._jobs.renew_within(tx, claim)
            request = tx.get("deletion_requests", id=claim.key)
            if request is None or self._delete_batch(tx, journal, request):
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
    def remove_expired(self) -> bool:
        """Remove requests that were finished long enough ago (DREQ-09). Returns False if there were none."""
        expired = [Compare("expiry", "<=", self._env.clock()), Compare("status", "==", "done")]
        with self._env.engine.read_once() as tx:
            if not tx.select("deletion_requests", expired, limit=1, columns=["id"]):
                return False
        with self._env.engine.write() as tx:
            tx.delete("deletion_requests", expired)
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
        columns = segment_rows.DELETION_COLUMNS
        rows = tx.select("segments", where, order=("start_ns",), limit=batch_size, columns=columns)
        segment_rows.delete(tx, self._env, journal, Subject(**doc["subject"]), rows)
        is_last = len(rows) < batch_size
        left = EMPTY if is_last else TimeRange(rows[-1]["end_ns"], remaining.end, remaining.closed)
        now = self._env.clock()
        doc |= {"timerange_remaining": str(left), "updated": rfc3339(now)}
        values: dict[str, Any] = {"doc": doc, "status": "started"}
        if is_last:
            values |= {"status": "done", "expiry": self._expiry(now)}
            if tx.get("flows", id=flow_id) is not None:
                refresh_content_span(tx, flow_id)
        tx.update("deletion_requests", equals(id=request["id"]), values)
        return is_last

    def _expiry(self, now: int) -> int:
        return now + self._env.limits.deletion_request_retention_s * SECOND


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
