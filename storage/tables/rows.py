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

JobKind = Literal["delivery", "flow-deletion", "removal", "copy", "segment-events"]
"""What the worker does in a job: storage.catalog.jobs describes each kind."""

WebhookStatus = Literal["created", "started", "disabled", "error"]
"""webhook.json: events are sent while it is "created" or "started"."""

DeletionStatus = Literal["created", "started", "done", "error"]
"""deletion-request.json."""

TagOwner = Literal["flow", "source", "webhook", "deleted_flow", "deleted_source"]

ViolationOutcome = Literal["rejected", "accepted"]
"""Whether a request that broke a schema was rejected, or carried out all the same (TAMS_VALIDATION_LEVEL=relaxed)."""

CredentialKind = Literal["bearer", "basic", "client"]


class ServiceRow(TypedDict):
    """A fact of this installation: its name, the id of its default storage backend, secrets."""

    key: str
    value: Any


class CredentialRow(TypedDict):
    """A bearer token, a user with a password or a client with a secret, of which `secret` is the hash; "" for tokens,
    whose hash is in `id`.

    scopes: separated by spaces. groups: separated by line breaks; null for none.
    revoked: when it was revoked; null unless it was. previous: an earlier hash that is accepted until `previous_until`.
    from_settings: whether a setting made it; null in rows from before there was the column.
    """

    id: str
    kind: CredentialKind
    name: str
    secret: str
    scopes: str
    created: int
    expires: NotRequired[int | None]
    groups: NotRequired[str | None]
    revoked: NotRequired[int | None]
    previous: NotRequired[str | None]
    previous_until: NotRequired[int | None]
    from_settings: NotRequired[bool | None]


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
    outline_node, outline_start, outline_end: an outline of that span (storage.tables.outline), by which SQL databases
    find it; null where none has been written yet, on VAST Database only.
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
    outline_node: NotRequired[int | None]
    outline_start: NotRequired[int | None]
    outline_end: NotRequired[int | None]
    doc: Document


class DeletedFlowRow(FlowRow):
    """A flow that has been deleted and can be restored: its row as it was. Its segments and references stay.

    deleted: when. expires: when it is deleted for good. deleted_by: the caller. subject: of the events about that.
    """

    deleted: int
    expires: int
    deleted_by: str
    subject: Document


class DeletedSourceRow(SourceRow):
    """A source that went with its last flow, which can be restored. The columns are as those of a deleted flow."""

    deleted: int
    expires: int
    deleted_by: str


class TagRow(TypedDict):
    """One value of a tag, for filters. A tag whose value is an empty list has one row with `empty` true.

    created: as that of the owner, so that the owners with a tag are found in the order of listings; null in rows from
    before there was any, on VAST Database only.
    """

    kind: TagOwner
    owner_id: str
    name: str
    value: str
    empty: bool
    created: NotRequired[int | None]


class ClassRow(TypedDict):
    """One of the classes that a resource names in its tag `auth_classes`, for rules on who may do what.

    name: "" of a resource without the tag, which has such a row only if everyone may use it (storage.catalog.access).
    created: as that of the owner.
    """

    kind: TagOwner
    owner_id: str
    name: str
    created: int


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


class FlowToDeleteRow(TypedDict):
    """A flow that the flow delete request of a source has still to delete: it has existed since the request.

    position: in the order of the deletion.
    """

    request_id: str
    position: int
    flow_id: str


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


class UsageRow(TypedDict):
    """The bytes that a principal has stored: the sum of `charged_bytes` of the instances that are charged to it.

    recounted: when that was last counted from the instances; 0 for never.
    """

    principal: str
    bytes: int
    recounted: int


class PrincipalRow(TypedDict):
    """What a principal that owns a webhook and has no credential in this catalogue was last seen to have.

    groups: a list of texts. scopes: separated by spaces. seen: when they last changed.
    """

    name: str
    groups: Any
    scopes: str
    seen: int


class ViolationRow(TypedDict):
    """How many requests of one day broke the published schemas in one way (F23).

    id: a digest of the day and of the columns that tell what is counted. day: days since 1970, in UTC.
    outcome: what became of the requests. operation, schema_path, principal: "" in the row that counts what had no room
    in rows of its own. first_seen, last_seen: the earliest and the latest of these requests.
    """

    id: str
    day: int
    outcome: ViolationOutcome
    operation: str
    schema_path: str
    principal: str
    requests: int
    first_seen: int
    last_seen: int
