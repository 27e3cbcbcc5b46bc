"""The kinds of background jobs, and what identifies a job of each."""

from typing import Final, Literal

from storage.tables.rows import JobKind

JobState = Literal["waiting", "running", "failed"]

DELIVERY: Final = "delivery"
"""Send a webhook its events. Key: the webhook id."""
FLOW_DELETION: Final = "flow-deletion"
"""Carry out a flow delete request. Key: the request id."""
REMOVAL: Final = "removal"
"""Remove the bytes of unreferenced objects. Key: the storage backend id."""
COPY: Final = "copy"
"""Copy an object to a storage backend. Key: see `copy_key`."""
SEGMENT_EVENTS: Final = "segment-events"
"""Record the events about the segments of a restored flow. Key: the flow id."""

KINDS: tuple[JobKind, ...] = (DELIVERY, FLOW_DELETION, REMOVAL, COPY, SEGMENT_EVENTS)
KINDS_THAT_GIVE_UP: tuple[JobKind, ...] = (FLOW_DELETION, COPY, SEGMENT_EVENTS)
"""Kinds that fail permanently after `Limits.job_attempts` failures, which their users can see. A job of the other kinds
stands for everything due at one webhook or storage backend, which may recover at any time."""


def copy_key(storage_id: str, object_id: str) -> str:
    """Return the key of the job that copies an object to a storage backend."""
    return f"{storage_id} {object_id}"
