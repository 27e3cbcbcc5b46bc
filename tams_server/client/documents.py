"""Types of the documents of TAMS, as far as the clients read them.

Documents stay what they are, JSON: members that a later 8.x version adds are kept.
"""

from typing import Any, NotRequired, TypedDict

Json = dict[str, Any]
Flow = dict[str, Any]
"""A flow, of any format (flow-get.json). Always has `id`, `source_id` and `format`."""


class GetUrl(TypedDict):
    """Where the bytes of an object can be read. controlled: absent means true; presigned: absent means false."""

    url: str
    label: NotRequired[str]
    presigned: NotRequired[bool]
    controlled: NotRequired[bool]
    storage_id: NotRequired[str]


class InitReference(TypedDict):
    """The init object of a segment."""

    object_id: str
    get_urls: NotRequired[list[GetUrl]]


class Segment(TypedDict):
    """A segment as it is listed (flow-segment.json). tags: of servers that have them, as this one has."""

    object_id: str
    timerange: str
    ts_offset: NotRequired[str]
    last_duration: NotRequired[str]
    sample_offset: NotRequired[int]
    sample_count: NotRequired[int]
    object_timerange: NotRequired[str]
    key_frame_count: NotRequired[int]
    get_urls: NotRequired[list[GetUrl]]
    init_object: NotRequired[InitReference]
    tags: NotRequired[Json]


class MediaObject(TypedDict):
    """An object (object.json). timerange: absent on init objects. init_object: has an `id`."""

    id: str
    referenced_by_flows: list[str]
    timerange: NotRequired[str]
    key_frame_count: NotRequired[int]
    get_urls: NotRequired[list[GetUrl]]
    init_object: NotRequired[Json]


class Slot(TypedDict):
    """An allocated object with the request that uploads it (an item of flow-storage.json)."""

    object_id: str
    put_url: Json
    presigned: NotRequired[bool]


class FailedSegment(TypedDict):
    """A segment of a list that was not added (flow-segment-bulk-failure.json)."""

    object_id: str
    timerange: NotRequired[str]
    error: NotRequired[Json]


class Source(TypedDict):
    """A source (source.json)."""

    id: str
    format: str
    label: NotRequired[str]
    description: NotRequired[str]
    tags: NotRequired[Json]
    source_collection: NotRequired[list[Json]]
