"""Events about the segments of a restored flow: flows/segments_added, as if a client had registered them (F13).

The restoration records the first batch. A job records the others, batch by batch, so that neither memory nor a
transaction grows with the flow. Its document has `start`, after which the next batch begins, and the facts that tell
the segments that were restored from later ones: `created` of the flow, and `until`, when its segments had last changed.
"""

from storage.catalog import job_queue
from storage.catalog.environment import Environment
from storage.catalog.event_journal import EventJournal, write_with_events
from storage.catalog.job_kinds import SEGMENT_EVENTS
from storage.catalog.jobs import Claim, Jobs, LeaseLost
from storage.catalog.retry import retried
from storage.tables.conditions import Compare, equals
from storage.tables.rows import FlowRow
from storage.tables.transaction import Reader, Writer

BATCH = 2_000
"""How many segments are reported in one transaction."""
_COLUMNS = ("start_ns", "object_id", "init_object_id", "timerange", "doc")


def record_restored(tx: Writer, env: Environment, journal: EventJournal, flow: FlowRow) -> None:
    """Record the events for all segments of a flow that is just being restored, and is locked."""
    if not journal.wanted:
        return
    until = flow["segments_updated"]
    start = _record_batch(tx, journal, flow, None, until)
    if start is not None:
        doc = {"start": start, "created": flow["created"], "until": until}
        # A job that has not ended was about the flow before it was deleted again.
        job_queue.make_due(tx, env.clock(), SEGMENT_EVENTS, flow["id"], doc)


class SegmentEvents:
    """The job that records the rest of the events."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._jobs = Jobs(env)

    @retried
    def record_batch(self, claim: Claim) -> bool:
        """Record the events for one batch of segments. Returns False when it is done.

        A flow that has been deleted meanwhile, or another one with its id, is not reported.

        Raises: storage.catalog.jobs.LeaseLost.
        """
        with write_with_events(self._env) as (tx, journal):
            tx.lock(f"flow:{claim.key}")
            doc = _document(tx, claim)
            flow = tx.get("flows", id=claim.key)
            start = None
            if journal.wanted and flow is not None and flow["created"] == doc["created"]:
                start = _record_batch(tx, journal, flow, doc["start"], doc["until"])
            if start is None:
                self._jobs.finish(tx, claim)
                return False
            self._jobs.save_doc(tx, claim, {**doc, "start": start})
        return True


def _document(tx: Reader, claim: Claim) -> dict[str, int | None]:
    """The document of the job, which another restoration may have replaced since it was claimed. Raises: LeaseLost."""
    for row in tx.select("jobs", claim.where, limit=1, columns=["doc"]):
        return row["doc"]
    raise LeaseLost(claim)


def _record_batch(tx: Reader, journal: EventJournal, flow: FlowRow, start: int | None, until: int | None) -> int | None:
    """Record the events for the segments that begin after `start`. Returns where the batch ends; None at the end."""
    where = equals(flow_id=flow["id"])
    if until is not None:
        where = (*where, Compare("created", "<=", until))
    after = None if start is None else [start]
    rows = tx.select("segments", where, order=("start_ns",), after=after, limit=BATCH, columns=_COLUMNS)
    journal.segments_added(flow, rows)
    return rows[-1]["start_ns"] if len(rows) == BATCH else None
