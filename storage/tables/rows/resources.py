"""Profiles, sources and flows, those that are deleted and can be restored, and what finds them: tags and classes."""

from typing import Literal, NotRequired, TypedDict

from storage.tables.rows.document import Document

TagOwner = Literal["flow", "source", "webhook", "deleted_flow", "deleted_source"]


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
