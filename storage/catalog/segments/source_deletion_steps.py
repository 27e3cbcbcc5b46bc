"""The steps of a deletion of a source with all its flows (F3): several flows in each, as long as they have few segments
together; the segments of a flow that has more in batches.

The request records the flows of the source as rows of `flows_to_delete`, and every deletion of a flow removes its
rows. So any worker can resume the request, and flows that are restored or created after it stay. So does a flow that
has become read-only.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.event_journal import EventJournal, Subject
from storage.catalog.flows import flow_deletion
from storage.catalog.segments import segment_rows
from storage.tables.conditions import In, equals
from storage.tables.rows import DeletionRequestRow, Document, FlowRow, FlowToDeleteRow
from storage.tables.transaction import Writer

_FLOWS_PER_STEP = 20
"""Each step is a transaction, and workers pause after it: a step for each flow takes several times as long."""
_STEP_S = 0.1
"""A step begins no further flow after this time, since other writers wait for its locks."""
_READ_ONLY: Final = "read_only"
"""The type of the error of a deletion that has come to its end."""


def is_of_source(request: DeletionRequestRow) -> bool:
    """Whether a flow delete request is for a source with all of its flows."""
    return "source_id" in request["doc"]


def record_flows(tx: Writer, request_id: str, flow_ids: Iterable[str]) -> None:
    """Record the flows that a request is to delete, in that order. The source is locked, so none comes or goes."""
    rows: list[FlowToDeleteRow] = [
        {"request_id": request_id, "position": position, "flow_id": flow_id}
        for position, flow_id in enumerate(flow_ids)
    ]
    tx.insert("flows_to_delete", rows, fresh=True)


class SourceDeletionStep:
    """One step, within a transaction. The values that it leaves in `flow_id` and `doc` are to be stored.

    In the document: `flow` is the subject of a flow that has gone and whose segments are being deleted; `kept` is the
    number of flows that stayed.
    """

    def __init__(self, tx: Writer, journal: EventJournal, env: Environment, request: DeletionRequestRow) -> None:
        self._tx = tx
        self._journal = journal
        self._env = env
        self._request_id = request["id"]
        self._segments_left = env.limits.deletion_batch
        self.flow_id = request["flow_id"]
        self.doc: Document = dict(request["doc"])

    def run(self) -> bool:
        """Delete a batch of segments, or the next flows. Returns whether that was the end."""
        if self.doc.get("flow") is not None:
            self._delete_segments(Subject(**self.doc["flow"]))
            return False
        entries = self._next_flows()
        if not entries:
            return True
        self._tx.lock(*(f"flow:{entry['flow_id']}" for entry in entries), f"source:{self.doc['source_id']}")
        deadline = time.monotonic() + _STEP_S
        for entry in self._next_flows(entries):
            self._delete_entry(entry)
            if self.doc["flow"] is not None or not self._segments_left or time.monotonic() > deadline:
                break
        return False

    def _next_flows(self, among: Sequence[FlowToDeleteRow] | None = None) -> list[FlowToDeleteRow]:
        """The next entries of the request. among: those of these that nobody has deleted meanwhile."""
        where = equals(request_id=self._request_id)
        if among is not None:
            where = (*where, In("position", [entry["position"] for entry in among]))
        return self._tx.select("flows_to_delete", where, order=("position",), limit=_FLOWS_PER_STEP)

    def _delete_entry(self, entry: FlowToDeleteRow) -> None:
        """Delete a flow, which is locked, unless it has become read-only."""
        row = self._tx.get("flows", id=entry["flow_id"])
        if row is not None and not row["read_only"]:
            self._delete_flow(row)
            return
        self._tx.delete("flows_to_delete", equals(request_id=entry["request_id"], position=entry["position"]))
        self.doc["kept"] += row is not None

    def _delete_flow(self, row: FlowRow) -> None:
        now = self._env.clock()
        deletion = flow_deletion.soft_deletion(self._env, now, self.doc["created_by"])
        if deletion is not None:
            flow_deletion.delete_flow(self._tx, self._journal, row, now, deletion)
            self.doc["flows_deleted"] += 1
            return
        self.flow_id = row["id"]
        self.doc["flow"] = self._journal.flow_subject(row["id"], row["source_id"]).stored(self._tx)
        flow_deletion.delete_flow(self._tx, self._journal, row, now)
        self._delete_segments(Subject(**self.doc["flow"]))

    def _delete_segments(self, subject: Subject) -> None:
        """Delete a batch of the segments of a flow that has gone, as far as the step has not deleted enough."""
        most = self._segments_left
        rows = self._tx.select(
            "segments",
            equals(flow_id=subject.flow_id),
            order=("start_ns",),
            limit=most,
            columns=segment_rows.DELETION_COLUMNS,
        )
        segment_rows.delete(self._tx, self._env, self._journal, subject, None, rows)
        self._segments_left -= len(rows)
        if len(rows) < most:
            self.doc["flow"] = None
            self.doc["flows_deleted"] += 1


def error_of(doc: Document, now: int) -> dict[str, Any] | None:
    """What went wrong in a deletion that has come to its end (error.json); None if nothing did."""
    if not doc["kept"]:
        return None
    summary = f"{doc['kept']} of the flows became read-only meanwhile; they stay, and so does the source"
    return {"type": _READ_ONLY, "summary": summary, "time": rfc3339(now)}


def has_ended(doc: Document) -> bool:
    """Whether a request that has the status error has come to its end, so that nothing of it is left to be retried."""
    return "error" in doc and bool(doc["error"]["type"] == _READ_ONLY)
