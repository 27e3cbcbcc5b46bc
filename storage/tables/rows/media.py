"""Segments, the objects that they refer to, and where the bytes of these are."""

from typing import Literal, NotRequired, TypedDict

from storage.tables.rows.document import Document

ObjectState = Literal["allocated", "media", "init"]
"""An object is "allocated" until a segment refers to it, as its media object or as its init object."""


class SegmentRow(TypedDict):
    """A segment in [start_ns, end_ns). timerange: the same range as the client wrote it, in normal form."""

    flow_id: str
    start_ns: int
    end_ns: int
    object_id: str
    init_object_id: NotRequired[str | None]
    timerange: str
    created: int
    doc: Document


class SegmentTagRow(TypedDict):
    """One value of a tag of a segment (F14), for filters; the tag itself is in the segment's document.

    A tag whose value is an empty list has one row with `empty` true.
    """

    flow_id: str
    start_ns: int
    name: str
    value: str
    empty: bool


class ObjectRow(TypedDict):
    """An object. flow_id: the flow it was allocated for, then the first flow that used it.

    expires: when an object without references may be removed; null while a segment refers to it.
    owner: the principal that allocated it; null if it was not allocated, or before owners were recorded.
    """

    id: str
    state: ObjectState
    flow_id: NotRequired[str | None]
    content_type: NotRequired[str | None]
    timerange: NotRequired[str | None]
    start_ns: NotRequired[int | None]
    end_ns: NotRequired[int | None]
    key_frame_count: NotRequired[int | None]
    init_object_id: NotRequired[str | None]
    created: int
    expires: NotRequired[int | None]
    owner: NotRequired[str | None]


class InstanceRow(TypedDict):
    """A place where an object's bytes are. instance: the storage backend's id, or "label:" and the label of an
    uncontrolled URL.

    size, etag, checksum: of the bytes (storage.media.object_store.StoredObject), if they were verified.
    extension: of its name in the storage backend (storage.media.names); null in rows from before there were any.
    charged_to, charged_bytes: the principal in whose usage the bytes are counted, and how many; null if they are not.
    """

    object_id: str
    instance: str
    storage_id: NotRequired[str | None]
    label: NotRequired[str | None]
    url: NotRequired[str | None]
    created: int
    size: NotRequired[int | None]
    etag: NotRequired[str | None]
    checksum: NotRequired[str | None]
    extension: NotRequired[str | None]
    charged_to: NotRequired[str | None]
    charged_bytes: NotRequired[int | None]


class ObjectRefRow(TypedDict):
    """How many segments of a flow refer to an object, directly or as their init object."""

    object_id: str
    flow_id: str
    segments: int
