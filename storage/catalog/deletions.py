"""Deleting flows and segments: at once while they are few, else as a request that a worker carries out (SEG-DEL-*,
FLOW-DEL-*, DREQ-*)."""

import logging
import uuid
from collections.abc import Sequence
from typing import Any

from storage.catalog import flows, garbage, references
from storage.catalog.caller import Caller
from storage.catalog.environment import SECOND, Environment, rfc3339
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.segments import SegmentFilter
from storage.errors import NotFound, TamsError
from storage.tables.conditions import Compare, Condition, In, equals
from storage.tables.engine import Row, Writer
from storage.timerange import EMPTY, ETERNITY, TimeRange, parse_timerange

_log = logging.getLogger(__name__)

ORDERS = {
    "created": Order(("created", "id"), descending=True),
    "expiry": Order(("expiry", "id"), descending=True),
}
_UNFINISHED = ("created", "started")


class Deletions:
    def __init__(self, env: Environment) -> None:
        self._env = env

    def delete_segments(self, caller: Caller, flow_id: str, filters: SegmentFilter) -> dict[str, Any] | None:
        """Delete the segments that lie wholly inside the timerange. None once they are gone, else the document of the
        request that will see to it (SEG-DEL-01 to -20)."""
        with self._env.engine.write() as tx:
            flows.find_writable(tx, caller, flow_id)
            if filters.timerange.is_empty:
                return None
            where = _inside(flow_id, filters)
            if self._remove_batch(tx, flow_id, where, self._env.limits.async_deletion_threshold):
                return None
            return self._request(tx, caller, flow_id, filters, delete_flow=False)

    def delete_flow(self, caller: Caller, flow_id: str) -> dict[str, Any] | None:
        """Delete the flow at once, and its segments at once or by a request, whose document is given (FLOW-DEL-01 to
        -12, A59)."""
        with self._env.engine.write() as tx:
            row = flows.find_writable(tx, caller, flow_id)
            flows.remove(tx, row, self._env.clock())
            where = _inside(flow_id, SegmentFilter())
            if self._remove_batch(tx, flow_id, where, self._env.limits.async_deletion_threshold):
                return None
            return self._request(tx, caller, flow_id, SegmentFilter(), delete_flow=True)

    def page(self, sort_by: str, request: PageRequest) -> Page:
        """Requests that are not finished, or not long (DREQ-01 to -03)."""
        size = request.size(self._env.limits)
        with self._env.engine.read() as tx:
            rows, next_key = select_page(tx, "deletion_requests", (), ORDERS[sort_by], request, size)
        return Page([_document(row) for row in rows], size, request.reverse, next_key)

    def get(self, request_id: str) -> dict[str, Any]:
        with self._env.engine.read() as tx:
            row = tx.get("deletion_requests", id=request_id)
        if row is None:
            raise NotFound(f"there is no flow delete request {request_id}", field="request-id", behaviour="DREQ-04")
        return _document(row)

    def work(self) -> bool:
        """Do one batch of one request, whoever started it. False when there is none to be done now."""
        claimed = self._claim()
        if claimed is None:
            return False
        try:
            self._advance(claimed)
        except TamsError as error:
            _log.warning("flow delete request %s waits for its next try: %s", claimed["id"], error)
        return True

    def collect(self) -> bool:
        """Forget what has expired, and remove bytes that nothing names. False when there was nothing to do."""
        now = self._env.clock()
        finished = [Compare("expiry", "<=", now), Compare("status", "==", "done")]
        with self._env.engine.read() as tx:
            expired = tx.select("objects", [Compare("expires", "<=", now)], limit=1, columns=["id"])
            requests = tx.select("deletion_requests", finished, limit=1, columns=["id"])
        if expired or requests:
            with self._env.engine.write() as tx:
                tx.lock("collection")
                references.collect(tx, now, self._env.limits.deletion_batch)
                tx.delete("deletion_requests", finished)
        removed = garbage.remove_due(self._env)
        return bool(expired or requests or removed)

    def _remove_batch(self, tx: Writer, flow_id: str, where: Sequence[Condition], limit: int) -> bool:
        """Delete all that match, unless they are more than `limit`: then nothing, and False."""
        rows = tx.select(
            "segments",
            where,
            order=("start_ns",),
            limit=limit + 1,
            columns=["start_ns", "object_id", "init_object_id"],
        )
        if len(rows) > limit:
            return False
        self._remove(tx, flow_id, rows)
        return True

    def _remove(self, tx: Writer, flow_id: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        for start in range(0, len(rows), 500):
            starts = [row["start_ns"] for row in rows[start : start + 500]]
            tx.delete("segments", [*equals(flow_id=flow_id), In("start_ns", starts)])
        references.remove(tx, self._env, flow_id, [(row["object_id"], row["init_object_id"]) for row in rows])
        state = tx.get("flow_state", flow_id=flow_id)
        if state is not None:
            values = {"version": state["version"] + 1, "segments_updated": self._env.clock()}
            tx.update("flow_state", equals(flow_id=flow_id), values)

    def _request(
        self, tx: Writer, caller: Caller, flow_id: str, filters: SegmentFilter, *, delete_flow: bool
    ) -> dict[str, Any]:
        now = self._env.clock()
        expiry = now + self._env.limits.deletion_request_kept_s * SECOND
        row: Row = {
            "id": str(uuid.uuid4()),
            "flow_id": flow_id,
            "status": "created",
            "created": now,
            "expiry": expiry,
            "doc": {
                "timerange_to_delete": str(filters.timerange),
                "timerange_remaining": str(filters.timerange),
                "object_id": filters.object_id,
                "delete_flow": delete_flow,
                "created_by": caller.name,
                "updated": rfc3339(now),
            },
        }
        tx.insert("deletion_requests", [row])
        return _document(row)

    def _claim(self) -> Row | None:
        """Take the oldest unfinished request that no living worker holds."""
        now = self._env.clock()
        order = ("created", "id")
        with self._env.engine.read() as tx:
            rows = tx.select("deletion_requests", [In("status", _UNFINISHED)], order=order)
        free = [row["id"] for row in rows if (row["leased_until"] or 0) <= now]
        if not free:
            return None
        with self._env.engine.write() as tx:
            tx.lock(f"deletion:{free[0]}")
            row = tx.get("deletion_requests", id=free[0])
            if row is None or row["status"] not in _UNFINISHED or (row["leased_until"] or 0) > now:
                return None
            row["leased_until"] = now + self._env.limits.deletion_lease_s * SECOND
            row["status"] = "started"
            tx.update("deletion_requests", equals(id=row["id"]), {k: row[k] for k in ("leased_until", "status")})
        return row

    def _advance(self, request: Row) -> None:
        """Delete one batch of what was there when the request was made (A59), and give the lease back."""
        doc = dict(request["doc"])
        flow_id = request["flow_id"]
        remaining = parse_timerange(doc["timerange_remaining"])
        filters = SegmentFilter(remaining, doc["object_id"])
        where = [*_inside(flow_id, filters), Compare("created", "<=", request["created"])]
        columns = ["start_ns", "end_ns", "object_id", "init_object_id"]
        with self._env.engine.write() as tx:
            tx.lock(f"flow:{flow_id}")
            batch = self._env.limits.deletion_batch
            rows = tx.select("segments", where, order=("start_ns",), limit=batch, columns=columns)
            self._remove(tx, flow_id, rows)
            finished = len(rows) < batch
            left = EMPTY if finished else TimeRange(rows[-1]["end_ns"], remaining.end, remaining.closed)
            now = self._env.clock()
            doc |= {"timerange_remaining": str(left), "updated": rfc3339(now)}
            values: dict[str, Any] = {"doc": doc, "leased_until": None}
            if finished:
                values |= {"status": "done", "expiry": now + self._env.limits.deletion_request_kept_s * SECOND}
            tx.update("deletion_requests", equals(id=request["id"]), values)


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
    return fixed | {name: value for name, value in row["doc"].items() if name != "object_id"}
