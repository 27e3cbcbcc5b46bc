"""The registration of segments: one request's items are checked one after another, then written together (SEG-POST-*).

The rules are in modules of their own: object_use, overlap and objects.new_instances.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from storage import error_codes
from storage.catalog.access.object_access import readable_objects
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.objects import lifetime
from storage.catalog.objects.new_instances import NewInstances
from storage.catalog.segments.object_use import ObjectUse, UsedObject
from storage.catalog.segments.overlap import OccupiedTime
from storage.catalog.segments.segment_tags import check_segment_tags, rows_of
from storage.catalog.segments.uploads import Uploads
from storage.catalog.usage import charge
from storage.errors import Contended, Invalid
from storage.tables.conditions import In
from storage.tables.rows import FlowRow, InstanceRow, ObjectRow, SegmentRow, SegmentTagRow
from storage.tables.transaction import Reader, Writer
from storage.timerange import TimeRange, parse_bounded, parse_storable_timestamp

_DOC_MEMBERS = ("ts_offset", "last_duration", "sample_offset", "sample_count")
"""Members of a segment that are stored as they were sent."""
_CHANGED_BY_FIRST_USE = (
    "state",
    "timerange",
    "start_ns",
    "end_ns",
    "key_frame_count",
    "init_object_id",
    "expires",
)
"""The columns in which an object's row differs from what it was while the object was allocated."""


class Registration:
    """The segments that one request registers for one flow.

    caller: may use objects that exist only if it may read a flow that does. flow: its row.
    items: all items of the request that will be added (flow-segment-post.json).
    stored_end: no stored segment of the flow ends after this, in ns.
    uploads: what the stores have of the objects; None if that does not matter.
    now: when the segments are registered, later than all changes of the flow's segments before.
    """

    def __init__(
        self,
        tx: Reader,
        env: Environment,
        caller: Caller,
        flow: FlowRow,
        items: Sequence[Mapping[str, Any]],
        stored_end: int,
        uploads: Uploads | None = None,
        *,
        now: int,
    ) -> None:
        self._env = env
        self._now = now
        self._flow = flow
        self._stored = _read_objects(tx, items)
        if uploads is not None:
            uploads.check_received(self._stored)
        self._objects = ObjectUse(flow, self._stored, _hidden_objects(tx, caller, flow, items, self._stored))
        self._occupied = OccupiedTime(tx, flow["id"], stored_end)
        self._new_instances = NewInstances(env, _read_instances(tx, items))
        self._uploads = uploads
        self._registered: dict[str, UsedObject] = {}
        self._instances: list[InstanceRow] = []
        self._tags: list[SegmentTagRow] = []
        self.segments: list[SegmentRow] = []
        """Rows of the accepted segments."""

    def add(self, item: Mapping[str, Any], timerange: TimeRange) -> None:
        """Check one item and accept it. timerange: the item's, as parsed.

        Raises: Invalid; then the item leaves no trace.
        """
        used = _used_part(item, timerange)
        media = self._objects.use_media(item, used)
        init = self._objects.use_init(media)
        self._check_uploaded(media, init)
        tags = item.get("tags")
        if tags:
            check_segment_tags(tags)
        self._occupied.check_no_overlap(timerange)
        instances = self._new_instances.from_item(item)

        self._occupied.occupy(timerange)
        for each in (media, init):
            if each is not None and self._objects.is_first_use(each):
                self._objects.accept(each)
                self._registered[each.id] = each
        self._new_instances.accept(instances)
        self._instances += instances
        row = self._segment_row(item, timerange, media)
        if tags:
            row["doc"]["tags"] = tags
            self._tags += rows_of(row["flow_id"], row["start_ns"], tags)
        self.segments.append(row)

    def write(self, tx: Writer) -> None:
        """Write the accepted segments and the objects they register.

        Raises: Contended if an object has just gone; QuotaExceeded if their owner has stored too much.
        """
        tx.insert("segments", self.segments, fresh=True)
        tx.insert("segment_tags", self._tags, fresh=True)
        allocated = self._registered.keys() & self._stored.keys()
        self._write_objects(tx, sorted(allocated))
        references = [(segment["object_id"], segment["init_object_id"]) for segment in self.segments]
        referenced = {object_id for pair in references for object_id in pair if object_id is not None}
        lifetime.cancel_expiry(tx, sorted(referenced - self._registered.keys()))
        if self._uploads is not None:
            self._uploads.record(tx, allocated)
        tx.insert("instances", self._instances)
        lifetime.add_references(tx, self._flow["id"], references, unreferenced=allocated)
        if self._uploads is not None:
            owners = {object_id: self._stored[object_id]["owner"] for object_id in allocated}
            charge(tx, self._env, self._uploads.charges(owners))

    def _write_objects(self, tx: Writer, allocated: Sequence[str]) -> None:
        """Write the rows of the registered objects. allocated: the ids of those that have rows already.

        Raises: Contended if one of these has just gone.
        """
        now = self._env.clock()
        rows = {id_: _object_row(used, self._stored.get(id_), now) for id_, used in self._registered.items()}
        changes = [{name: rows[id_].get(name) for name in ("id", *_CHANGED_BY_FIRST_USE)} for id_ in allocated]
        if tx.update_rows("objects", changes) != len(changes):
            raise Contended("an object of these segments has just been removed by garbage collection; try again")
        tx.insert("objects", [row for id_, row in rows.items() if id_ not in self._stored])

    def _check_uploaded(self, media: UsedObject, init: UsedObject | None) -> None:
        """Check that the objects have been uploaded that this service allocated and that are used for the first time.

        Raises: Invalid, Contended.
        """
        if self._uploads is None:
            return
        for name, used in (("object_id", media), ("init_object_id", init)):
            if used is not None and self._objects.is_first_use(used) and used.id in self._stored:
                self._uploads.check(used.id, name)

    def _segment_row(self, item: Mapping[str, Any], timerange: TimeRange, media: UsedObject) -> SegmentRow:
        text = str(timerange)
        doc = {name: item[name] for name in _DOC_MEMBERS if name in item}
        doc["object_timerange"] = text if media.timerange is timerange else str(media.timerange)
        if media.key_frame_count is not None:
            doc["key_frame_count"] = media.key_frame_count
        start, end = timerange.bounds
        return {
            "flow_id": self._flow["id"],
            "start_ns": start,
            "end_ns": end,
            "object_id": media.id,
            "init_object_id": media.init_object_id,
            "timerange": text,
            "created": self._now,
            "doc": doc,
        }


def _read_objects(tx: Reader, items: Sequence[Mapping[str, Any]]) -> dict[str, ObjectRow]:
    """The rows of all objects that the items refer to, by id."""
    return {row["id"]: row for row in tx.select("objects", [In("id", sorted(_object_ids(items)))])}


def _object_ids(items: Sequence[Mapping[str, Any]]) -> set[str]:
    ids = {item["object_id"] for item in items}
    return ids | {item["init_object_id"] for item in items if "init_object_id" in item}


def _hidden_objects(
    tx: Reader, caller: Caller, flow: FlowRow, items: Sequence[Mapping[str, Any]], stored: Mapping[str, ObjectRow]
) -> frozenset[str]:
    """The objects that the caller may not use: those of which it may read no flow that uses them (AUTHZ-05).

    Objects that no segment uses, in or before their grace period, may be used by the flow that they were made for, but
    not by another that has its id since.
    """
    if not caller.is_restricted:
        return frozenset()
    readable = readable_objects(tx, caller, _object_ids(items))
    return frozenset(
        id_
        for id_, row in stored.items()
        if id_ not in readable
        and (row["expires"] is None or row["flow_id"] != flow["id"] or row["created"] < flow["created"])
    )


def _read_instances(tx: Reader, items: Sequence[Mapping[str, Any]]) -> list[InstanceRow]:
    """The instances of all objects to which the items add get_urls."""
    ids = sorted({item["object_id"] for item in items if item.get("get_urls")})
    return tx.select("instances", [In("object_id", ids)]) if ids else []


def _used_part(item: Mapping[str, Any], timerange: TimeRange) -> TimeRange:
    """The part of the object that a segment uses: its timerange less ts_offset. Raises: Invalid."""
    offset = parse_storable_timestamp(item["ts_offset"], "ts_offset") if "ts_offset" in item else 0
    if "last_duration" in item and parse_storable_timestamp(item["last_duration"], "last_duration") < 0:
        raise Invalid(
            f"last_duration must not be negative, as {item['last_duration']!r} is",
            code=error_codes.SEGMENT_LAST_DURATION,
            field="last_duration",
            behaviour="SEG-POST-37",
        )
    if offset == 0:
        return timerange
    used = timerange.shifted(-offset)
    parse_bounded(str(used), "timerange less ts_offset")
    return used


def _object_row(used: UsedObject, stored: ObjectRow | None, now: int) -> ObjectRow:
    """The object's row after its first use. stored: its row while it was allocated; None if it was not."""
    span = used.timerange
    return {
        "id": used.id,
        "state": used.state,
        "flow_id": used.flow_id,
        "content_type": stored["content_type"] if stored else None,
        "timerange": None if span is None else str(span),
        "start_ns": None if span is None else span.start,
        "end_ns": None if span is None else span.end,
        "key_frame_count": used.key_frame_count,
        "init_object_id": used.init_object_id,
        "created": stored["created"] if stored else now,
        "expires": None,
    }
