"""The use of objects by segments: which object a segment may refer to, as media or as init object (SEG-POST-05 to -53).

An object's first use registers it, and fixes its properties. A later use must agree with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from storage import error_codes
from storage.catalog.objects.object_ids import check_object_id
from storage.errors import Invalid
from storage.tables.rows import FlowRow, ObjectRow, ObjectState
from storage.timerange import TimeRange, parse_bounded, parse_timerange


@dataclass(frozen=True, slots=True)
class UsedObject:
    """An object in its state after a use."""

    id: str
    state: ObjectState
    flow_id: str | None
    timerange: TimeRange | None = None
    key_frame_count: int | None = None
    init_object_id: str | None = None

    @classmethod
    def from_row(cls, row: ObjectRow) -> "UsedObject":
        """The object as stored."""
        return cls(
            row["id"],
            row["state"],
            row["flow_id"],
            parse_timerange(row["timerange"]) if row["timerange"] else None,
            row["key_frame_count"],
            row["init_object_id"],
        )


class ObjectUse:
    """Decides on the uses of objects in one request.

    flow: the row of the flow whose segments are registered. stored: rows of the objects that exist, by id.
    hidden: those of them that the caller may not use; for it they do not exist.
    """

    def __init__(self, flow: FlowRow, stored: Mapping[str, ObjectRow], hidden: frozenset[str] = frozenset()) -> None:
        self._flow = flow
        self._hidden = hidden
        self._objects = {
            object_id: UsedObject.from_row(row) for object_id, row in stored.items() if object_id not in hidden
        }

    def use_media(self, item: Mapping[str, Any], used: TimeRange) -> UsedObject:
        """The media object of a segment. Nothing is recorded until `accept`.

        item: the segment (flow-segment-post.json). used: the part of the object that it uses, on the object's timeline.

        Raises: Invalid.
        """
        object_id = item["object_id"]
        known = self._objects.get(object_id)
        if known is None:
            self._check_new(item)
        elif known.state == "init":
            raise Invalid(
                f"object_id {object_id!r} already exists as an init object, and cannot be a media object too",
                code=error_codes.SEGMENT_OBJECT_ROLE,
                field="object_id",
                behaviour="SEG-POST-47",
            )
        elif known.state == "media":
            return _reuse_media(item, known, used)
        else:
            self._check_allocated_for_flow(known, "object_id")
        object_timerange = (
            parse_bounded(item["object_timerange"], "object_timerange") if "object_timerange" in item else used
        )
        _check_inside_object(used, object_timerange)
        return UsedObject(
            object_id,
            "media",
            self._flow["id"],
            object_timerange,
            item.get("key_frame_count"),
            item.get("init_object_id"),
        )

    def use_init(self, media: UsedObject) -> UsedObject | None:
        """The init object that the first use of a media object uses for the first time too; None if there is none.

        Raises: Invalid.
        """
        init_id = media.init_object_id
        if bool(self._flow["init_segments"]) != (init_id is not None):
            raise Invalid(
                "init_object_id is required: the flow has essence_parameters.init_segments true"
                if init_id is None
                else f"init_object_id {init_id!r} requires a flow with essence_parameters.init_segments true",
                code=error_codes.SEGMENT_INIT_OBJECT,
                field="init_object_id",
                behaviour="SEG-POST-52" if init_id is None else "SEG-POST-51",
            )
        if init_id is None or not self.is_first_use(media):
            return None
        known = self._objects.get(init_id)
        if init_id == media.id or (known is not None and known.state == "media"):
            raise Invalid(
                f"init_object_id {init_id!r} already exists as a media object, and cannot be an init object too",
                code=error_codes.SEGMENT_OBJECT_ROLE,
                field="init_object_id",
                behaviour="SEG-POST-48",
            )
        if known is None:
            raise Invalid(
                f"init_object_id {init_id!r} is neither allocated nor registered",
                code=error_codes.SEGMENT_OBJECT_UNKNOWN,
                field="init_object_id",
                behaviour="SEG-POST-50",
            )
        if known.state == "init":
            return None
        self._check_allocated_for_flow(known, "init_object_id")
        return UsedObject(init_id, "init", self._flow["id"])

    def is_first_use(self, used: UsedObject) -> bool:
        """Whether a use registers the object, so that its row is written. Not any more once it has been accepted."""
        return self._objects.get(used.id) is not used

    def accept(self, used: UsedObject) -> None:
        """Record a use, so that the next items of the request see it."""
        self._objects[used.id] = used

    def _check_new(self, item: Mapping[str, Any]) -> None:
        """Reject an object that does not exist, unless the item says where its bytes are."""
        object_id = item["object_id"]
        if not item.get("get_urls"):
            raise Invalid(
                f"object_id {object_id!r} is neither allocated nor registered, and the segment has no get_urls",
                code=error_codes.SEGMENT_OBJECT_UNKNOWN,
                field="object_id",
                behaviour="SEG-POST-08",
            )
        check_object_id(object_id, "object_id")
        if object_id in self._hidden:
            raise Invalid(
                f"object_id {object_id!r} already exists",
                code=error_codes.SEGMENT_OBJECT_TAKEN,
                field="object_id",
                behaviour="AUTHZ-05",
            )

    def _check_allocated_for_flow(self, known: UsedObject, name: str) -> None:
        if known.flow_id != self._flow["id"]:
            raise Invalid(
                f"{name} {known.id!r} already exists: it was allocated for flow {known.flow_id}, which must be the"
                " first to use it",
                code=error_codes.SEGMENT_OBJECT_TAKEN,
                field=name,
                behaviour="SEG-POST-06",
            )


def _reuse_media(item: Mapping[str, Any], known: UsedObject, used: TimeRange) -> UsedObject:
    """The object as registered; the item must not change its properties (SEG-POST-30 to -34). Raises: Invalid."""
    given = [(name, item[name], getattr(known, name)) for name in ("key_frame_count", "init_object_id") if name in item]
    if "object_timerange" in item:
        object_timerange = parse_bounded(item["object_timerange"], "object_timerange")
        given.append(("object_timerange", object_timerange, known.timerange))
    for name, value, registered in given:
        if value != registered:
            registered_as = f"without {name}" if registered is None else f"with {name} {registered}"
            raise Invalid(
                f"{name} cannot be {value}: object {known.id!r} already exists, registered {registered_as}",
                code=error_codes.SEGMENT_OBJECT_DIFFERS,
                field=name,
                behaviour="SEG-POST-30",
            )
    assert known.timerange is not None
    _check_inside_object(used, known.timerange)
    return known


def _check_inside_object(used: TimeRange, object_timerange: TimeRange) -> None:
    if not object_timerange.covers(used):
        raise Invalid(
            f"timerange less ts_offset is {used}, which is not inside the object's timerange {object_timerange}",
            code=error_codes.SEGMENT_OUTSIDE_OBJECT,
            field="timerange",
            behaviour="SEG-POST-29",
        )
