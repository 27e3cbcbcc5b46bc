"""What is still to be done: jobs, deletions and the removal of bytes."""

from typing import Literal, NotRequired, TypedDict

from storage.tables.rows.document import Document

JobKind = Literal["delivery", "flow-deletion", "removal", "copy", "segment-events"]
"""What the worker does in a job: storage.catalog.job_kinds describes each kind."""

DeletionStatus = Literal["created", "started", "done", "error"]
"""deletion-request.json."""


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


class DeletionRequestRow(TypedDict):
    """A flow delete request. expiry: when it may be forgotten."""

    id: str
    flow_id: str
    status: DeletionStatus
    created: int
    expiry: int
    doc: Document


class FlowToDeleteRow(TypedDict):
    """A flow that the flow delete request of a source has still to delete: it has existed since the request.

    position: in the order of the deletion.
    """

    request_id: str
    position: int
    flow_id: str


class GarbageRow(TypedDict):
    """Bytes without references, to be removed. extension: as that of the instance."""

    storage_id: str
    object_id: str
    due: int
    extension: NotRequired[str | None]
