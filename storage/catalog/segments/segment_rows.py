"""Deletion of segments' rows, and what follows: references, the flow's content range, events."""

from collections.abc import Sequence

from storage.catalog.environment import Environment
from storage.catalog.event_journal import EventJournal, Subject
from storage.catalog.flows.content_range import content_columns
from storage.catalog.objects import lifetime
from storage.catalog.spans import Span
from storage.tables.conditions import In, equals
from storage.tables.engine import Writer
from storage.tables.rows import SegmentRow

DELETION_COLUMNS = ("start_ns", "end_ns", "timerange", "object_id", "init_object_id")
"""The columns of a segment that `delete` needs."""

_SEGMENTS_PER_QUERY = 500


def delete(
    tx: Writer,
    env: Environment,
    journal: EventJournal,
    subject: Subject,
    rows: Sequence[SegmentRow],
    remaining: Span | None = None,
) -> None:
    """Delete these segments of one flow, which the caller has locked.

    subject: of the events, as the flow was when its segments were requested to be deleted.
    remaining: the flow's content range once they are gone; None leaves it as it is, wider than necessary.
    """
    if not rows:
        return
    flow_id = subject.flow_id
    assert flow_id is not None
    for start in range(0, len(rows), _SEGMENTS_PER_QUERY):
        starts = [row["start_ns"] for row in rows[start : start + _SEGMENTS_PER_QUERY]]
        tx.delete("segments", [*equals(flow_id=flow_id), In("start_ns", starts)])
    references = [(row["object_id"], row["init_object_id"]) for row in rows]
    lifetime.remove_references(tx, env, flow_id, references)
    content = {} if remaining is None else content_columns(remaining)
    tx.update("flows", equals(id=flow_id), {"segments_updated": env.clock(), **content})
    journal.segments_deleted(subject, rows)
