"""Deletion of segments' rows, and what follows: references, the flow's content range, events."""

from collections.abc import Sequence

from storage.catalog.clock import later_than
from storage.catalog.environment import Environment
from storage.catalog.event_journal import EventJournal, Subject
from storage.catalog.flows.content_range import content_columns
from storage.catalog.objects import lifetime
from storage.catalog.segments import segment_tags
from storage.catalog.spans import Span
from storage.tables.conditions import In, equals
from storage.tables.rows import FlowRow, SegmentRow
from storage.tables.transaction import Writer

DELETION_COLUMNS = ("start_ns", "end_ns", "timerange", "object_id", "init_object_id")
"""The columns of a segment that `delete` needs."""

_SEGMENTS_PER_QUERY = 500


def next_update(flow: FlowRow | None, now: int) -> int:
    """When the segments of a flow change, which the caller has locked: now, but later than all changes before.

    So it is known which segments there were when a deletion was requested, whatever the clock showed. flow: its row;
    None if it has been deleted.
    """
    return later_than((flow and flow["segments_updated"]) or 0, now)


def delete(
    tx: Writer,
    env: Environment,
    journal: EventJournal | None,
    subject: Subject,
    flow: FlowRow | None,
    rows: Sequence[SegmentRow],
    remaining: Span | None = None,
) -> None:
    """Delete these segments of one flow, which the caller has locked.

    journal: of the events; None if they have been reported before. subject: of the events, as the flow was when its
    segments were requested to be deleted. flow: its row as it is now; None if it has been deleted.
    remaining: the flow's content range once they are gone; None leaves it as it is, wider than necessary, unless no
    segment is left.
    """
    if not rows:
        return
    flow_id = subject.flow_id
    assert flow_id is not None
    for start in range(0, len(rows), _SEGMENTS_PER_QUERY):
        starts = [row["start_ns"] for row in rows[start : start + _SEGMENTS_PER_QUERY]]
        tx.delete("segments", [*equals(flow_id=flow_id), In("start_ns", starts)])
    segment_tags.delete_rows(tx, flow_id, [row["start_ns"] for row in rows])
    references = [(row["object_id"], row["init_object_id"]) for row in rows]
    lifetime.remove_references(tx, env, flow_id, references)
    if not tx.select("segments", equals(flow_id=flow_id), limit=1, columns=["flow_id"]):
        remaining = (0, 0)  # Filters take this to mean that there are none.
    content = {} if remaining is None else content_columns(remaining)
    tx.update("flows", equals(id=flow_id), {"segments_updated": next_update(flow, env.clock()), **content})
    if journal is not None:
        journal.segments_deleted(subject, rows)
