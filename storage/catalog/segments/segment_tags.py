"""Tags on segments (F14): their rows, and reading and changing those of one segment.

A segment has no id. Within its flow its timerange identifies it, in any spelling, since segments never overlap.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from storage import error_codes
from storage.catalog.access.checks import read_under, require_before_lock
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.event_journal import write_with_events
from storage.catalog.flows import flow_rows
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.retry import retried
from storage.catalog.tags import Tags, check_room, check_tags, single_values
from storage.errors import Invalid, NotFound
from storage.preconditions import Preconditions, ResourceVersion, member_state
from storage.tables.conditions import In, equals
from storage.tables.limits import SEGMENT_TAG_VALUES, SEGMENT_TAGS, check_document
from storage.tables.rows import SegmentRow, SegmentTagRow
from storage.tables.transaction import Reader, Writer
from storage.timerange import parse_timerange

_BATCH = 500
"""Segments in one statement."""
_SHORT = 3 * SEGMENT_TAG_VALUES
"""Tags of so many bytes as JSON are within all limits: each value takes at least quotation marks and a comma."""


class SegmentTags:
    """The tags of the segments of the catalogue's flows.

    Methods raise NotFound if there is no such flow, none that the caller can see, or no segment in exactly the
    timerange.
    """

    def __init__(self, env: Environment) -> None:
        self._env = env

    def all(self, caller: Caller, flow_id: str, timerange: str) -> Tags:
        """All tags of a segment, by name."""

        def read(tx: Reader) -> Tags:
            flow_rows.get(tx, caller, flow_id, ("id",))
            return _tags(find_segment(tx, flow_id, timerange))

        return read_under(self._env.engine, caller, f"flow:{flow_id}", read)

    def get(self, caller: Caller, flow_id: str, timerange: str, name: str) -> str | Sequence[str]:
        """The value of one tag. Raises: NotFound."""
        tags = self.all(caller, flow_id, timerange)
        if name not in tags:
            raise _no_tag(timerange, name)
        return tags[name]

    @retried
    def set(
        self,
        caller: Caller,
        flow_id: str,
        timerange: str,
        name: str,
        value: str | Sequence[str],
        preconditions: Preconditions | None = None,
    ) -> None:
        """Set one tag and keep the others. Raises: Invalid; Forbidden if the flow is read-only; PreconditionFailed."""

        def changed(tags: Tags) -> Tags:
            return {**tags, name: value}

        self._change(caller, flow_id, timerange, name, changed, preconditions)

    @retried
    def delete(
        self, caller: Caller, flow_id: str, timerange: str, name: str, preconditions: Preconditions | None = None
    ) -> None:
        """Remove one tag. Raises: NotFound if it is not set; Forbidden if the flow is read-only; PreconditionFailed."""

        def changed(tags: Tags) -> Tags:
            if name not in tags:
                raise _no_tag(timerange, name)
            return {other: value for other, value in tags.items() if other != name}

        self._change(caller, flow_id, timerange, name, changed, preconditions)

    def require(self, caller: Caller, flow_id: str, timerange: str) -> None:
        """Check that there is a segment in exactly this timerange."""
        self.all(caller, flow_id, timerange)

    def _change(
        self,
        caller: Caller,
        flow_id: str,
        timerange: str,
        name: str,
        changed: Callable[[Tags], Tags],
        preconditions: Preconditions | None,
    ) -> None:
        """Store other tags of a segment, with their rows and the event flows/updated.

        The flow's `segments_updated` stays: it says when a segment was added or removed.
        """
        require_before_lock(self._env.engine, caller, KIND, flow_id, "write")
        with write_with_events(self._env) as (tx, journal):
            flow_rows.lock_writable(tx, caller, flow_id, columns=("id", "read_only"))
            segment = find_segment(tx, flow_id, timerange)
            stored = _tags(segment)
            tags = changed(stored)
            if preconditions is not None:
                preconditions.check_change(member_state(ResourceVersion(), stored.get(name)))
            check_segment_tags(tags)
            check_room(self._env.engine, stored, tags)
            doc = {member: value for member, value in segment["doc"].items() if member != "tags"}
            key = equals(flow_id=flow_id, start_ns=segment["start_ns"])
            tx.update("segments", key, {"doc": {**doc, "tags": tags} if tags else doc})
            replace_rows(tx, flow_id, segment["start_ns"], tags)
            flow_rows.record_updates(tx, journal, [flow_id])


def find_segment(tx: Reader, flow_id: str, timerange: str) -> SegmentRow:
    """The start and the document of the segment in exactly this timerange. Raises: NotFound."""
    try:
        start, end = parse_timerange(timerange).bounds
    except Invalid as error:
        raise NotFound(
            f"there is no segment in such a timerange: {error.message}",
            code=error_codes.SEGMENT_NOT_FOUND,
            field="timerange",
        ) from error
    where = equals(flow_id=flow_id, start_ns=start)
    found = tx.select("segments", where, limit=1, columns=["start_ns", "end_ns", "doc"])
    if not found or found[0]["end_ns"] != end:
        raise NotFound(
            f"flow {flow_id} has no segment in exactly the timerange {timerange}",
            code=error_codes.SEGMENT_NOT_FOUND,
            field="timerange",
        )
    return found[0]


def check_segment_tags(tags: Tags) -> None:
    """Reject tags that are too long, or too many. Raises: Invalid."""
    if len(orjson.dumps(tags)) <= _SHORT:
        return
    check_tags(tags)
    values = sum(1 for _ in single_values(tags))
    if values > SEGMENT_TAG_VALUES:
        raise Invalid(
            f"the tags of a segment must have at most {SEGMENT_TAG_VALUES} values together, not {values}",
            code=error_codes.SEGMENT_TOO_MANY_TAGS,
            field="tags",
        )
    check_document({"tags": tags}, "tags of a segment", SEGMENT_TAGS)


def rows_of(flow_id: str, start_ns: int, tags: Tags) -> list[SegmentTagRow]:
    """The rows that mirror the tags of a segment."""
    return [
        {"flow_id": flow_id, "start_ns": start_ns, "name": name, "value": text, "empty": empty}
        for name, text, empty in single_values(tags)
    ]


def replace_rows(tx: Writer, flow_id: str, start_ns: int, tags: Tags) -> None:
    """Replace the rows that mirror the tags of a segment."""
    tx.delete("segment_tags", equals(flow_id=flow_id, start_ns=start_ns))
    tx.insert("segment_tags", rows_of(flow_id, start_ns, tags))


def delete_rows(tx: Writer, flow_id: str, starts: Sequence[int]) -> None:
    """Delete the rows of segments that are deleted. starts: of these segments of one flow, in ns."""
    for first in range(0, len(starts), _BATCH):
        tx.delete("segment_tags", [*equals(flow_id=flow_id), In("start_ns", starts[first : first + _BATCH])])


def _tags(segment: Mapping[str, Any]) -> Tags:
    tags: Tags = segment["doc"].get("tags", {})
    return tags


def _no_tag(timerange: str, name: str) -> NotFound:
    return NotFound(
        f"the segment {timerange} has no tag {name!r}", code=error_codes.SEGMENT_TAG_NOT_FOUND, field="name"
    )
