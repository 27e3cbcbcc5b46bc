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

from storage.tables.rows.document import Document
from storage.tables.rows.media import (
    InstanceRow,
    ObjectRefRow,
    ObjectRow,
    ObjectState,
    SegmentRow,
    SegmentTagRow,
)
from storage.tables.rows.resources import (
    ClassRow,
    CollectionRow,
    DeletedFlowRow,
    DeletedSourceRow,
    FlowRow,
    ProfileRow,
    SourceRow,
    TagOwner,
    TagRow,
)
from storage.tables.rows.service import (
    CredentialKind,
    CredentialRow,
    PrincipalRow,
    ServiceRow,
    UsageRow,
    ViolationOutcome,
    ViolationRow,
)
from storage.tables.rows.webhooks import (
    DeliveryRow,
    EventRow,
    WebhookRow,
    WebhookStatus,
)
from storage.tables.rows.work import (
    DeletionRequestRow,
    DeletionStatus,
    FlowToDeleteRow,
    GarbageRow,
    JobKind,
    JobRow,
)

__all__ = [
    "ClassRow",
    "CollectionRow",
    "CredentialKind",
    "CredentialRow",
    "DeletedFlowRow",
    "DeletedSourceRow",
    "DeletionRequestRow",
    "DeletionStatus",
    "DeliveryRow",
    "Document",
    "EventRow",
    "FlowRow",
    "FlowToDeleteRow",
    "GarbageRow",
    "InstanceRow",
    "JobKind",
    "JobRow",
    "ObjectRefRow",
    "ObjectRow",
    "ObjectState",
    "PrincipalRow",
    "ProfileRow",
    "SegmentRow",
    "SegmentTagRow",
    "ServiceRow",
    "SourceRow",
    "TagOwner",
    "TagRow",
    "UsageRow",
    "ViolationOutcome",
    "ViolationRow",
    "WebhookRow",
    "WebhookStatus",
]
