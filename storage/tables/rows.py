"""The rows of every table as typed dicts: the names, types and nullability of its columns. storage.tables.schema builds
the tables from them.

str is a column of type "string", int "int64", bool "bool", Document and Any "json". Times on a media timeline are ns
(`*_ns`); points in calendar time are microseconds since 1970 (`created`, `updated`, ...). Columns hold what is
filtered, sorted or joined on; `doc` holds the rest of the document as the client sent it.

A resource without a label has `label` "" and `unlabelled` true, so that listings by label have it last.

A nullable column may be left out of a row that is inserted (NotRequired) and is null then. Rows that are read have all
columns, or those in the `columns` argument of `select`. Such partial rows have the same type; reading a column that was
not selected raises KeyError.
"""

from typing import Any, Literal, NotRequired, TypedDict

Document = dict[str, Any]

ObjectState = Literal["allocated", "media", "init"]
"""An object is "allocated" until a segment refers to it, as its media object or as its init object."""

JobKind = Literal["delivery", "flow-deletion", "removal", "copy"]
"""What the worker does in a job: storage.catalog.jobs describes each kind."""

WebhookStatus = Literal["created", "started", "disabled", "error"]
"""webhook.json: events are sent while it is "created" or "started"."""

DeletionStatus = Literal["created", "started", "done", "error"]
"""deletion-request.json."""

TagOwner = Literal["flow", "source", "webhook"]

CredentialKind = Literal["bearer", "basic"]


class ServiceRow(TypedDict):
    """A fact of this installation: its name, the id of its default storage backend, secrets."""

    key: str
    value: Any


class CredentialRow(TypedDict):
    """A bearer token or a user with a password, of which `secret` is the hash; "" for tokens, whose hash is in `id`.

    scopes: separated by spaces.
    """

    id: str
    kind: CredentialKind
    name: str
    secret: str
    scopes: str
    created: int
    expires: NotRequired[int | None]


class ProfileRow(TypedDict):
    id: str
    format: str
    codec: str
    label: str
    unlabelled: bool
    created: int
    doc: Document


class SourceRow(TypedDict):
    id: str
    format: str
    label: str
    unlabelled: bool
    created: int
    updated: int
    doc: Document


class CollectionRow(TypedDict):
    """A member of a flow's collection, or of a source's, which is derived from those of its flows."""

    collector_id: str
    position: int
    member_id: str
    role: NotRequired[str | None]


class FlowRow(TypedDict):
    """A flow. Writers of its segments change this row first.

    content_start, content_end: all segments lie within [content_start, content_end), in ns, which may be wider than
    they are; equal for a flow without segments, null until they have been looked up.
    """

    id: str
    source_id: str
    profile_id: NotRequired[str | None]
    format: str
    codec: NotRequired[str | None]
    container: NotRequired[str | None]
    label: str
    unlabelled: bool
    status: NotRequired[str | None]
    frame_width: NotRequired[int | None]
    frame_height: NotRequired[int | None]
    init_segments: bool
    read_only: bool
    created: int
    metadata_updated: int
    segments_updated: NotRequired[int | None]
    content_start: NotRequired[int | None]
    content_end: NotRequired[int | None]
    doc: Document


class TagRow(TypedDict):
    """One value of a tag, for filters. A tag whose value is an empty list has one row with `empty` true."""

    kind: TagOwner
    owner_id: str
    name: str
    value: str
    empty: bool


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


class ObjectRow(TypedDict):
    """An object. flow_id: the flow it was allocated for, then the first flow that used it.

    expires: when an object without references may be removed; null while a segment refers to it.
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


class InstanceRow(TypedDict):
    """A place where an object's bytes are. instance: the storage backend's id, or "label:" and the label of an
    uncontrolled URL.

    size, etag, checksum: of the bytes (storage.media.object_store.StoredObject), if they were verified.
    extension: of its name in the storage backend (storage.media.names); null in rows from before there were any.
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


class ObjectRefRow(TypedDict):
    """How many segments of a flow refer to an object, directly or as their init object."""

    object_id: str
    flow_id: str
    segments: int


class DeletionRequestRow(TypedDict):
    """A flow delete request. expiry: when it may be forgotten."""

    id: str
    flow_id: str
    status: DeletionStatus
    created: int
    expiry: int
    doc: Document


class WebhookRow(TypedDict):
    """A webhook. enabled: its status is "created" or "started". since: events from then on are meant for it.

    failing_since: time of the first of the failures without a success between them.
    base_url: of this service when the webhook was last set, for URLs of this service in events.
    """

    id: str
    url: str
    enabled: bool
    status: WebhookStatus
    owner: str
    secret: NotRequired[str | None]
    base_url: str
    created: int
    since: int
    failing_since: NotRequired[int | None]
    doc: Document


class EventRow(TypedDict):
    """An event in the outbox. position: microseconds since 1970 times 1000, plus its number within the transaction.

    pending: not yet queued for the webhooks that it matches.
    """

    id: str
    position: int
    pending: bool
    doc: Document


class DeliveryRow(TypedDict):
    """An event that a webhook is still to be sent."""

    webhook_id: str
    position: int
    event_id: str


class JobRow(TypedDict):
    """Work for a worker. due: when it may be claimed; while a worker holds it, the end of its lease; null once it has
    failed for good. token: identifies the claim of the worker that holds it."""

    kind: JobKind
    key: str
    due: NotRequired[int | None]
    token: NotRequired[str | None]
    worker: NotRequired[str | None]
    attempts: int
    created: int
    error: NotRequired[str | None]
    doc: Document


class GarbageRow(TypedDict):
    """Bytes without references, to be removed. extension: as that of the instance."""

    storage_id: str
    object_id: str
    due: int
    extension: NotRequired[str | None]
