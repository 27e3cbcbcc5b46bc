"""How far the delivery of a long event has come, kept in the job of the webhook (DLV-11).

An event with many segments is sent in parts. What has been sent is recorded after each part, so that a failure repeats
one part only.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

_MEMBER = "progress"


@dataclass(frozen=True, slots=True)
class DeliveryProgress:
    """The progress of one event on its way to one webhook.

    event_id: "" before the first event. sent: how many of its segments have been delivered or set aside.
    rejected_since: when the receiver first rejected a part of it, in microseconds since 1970; None if it has not.
    max_bytes: what the receiver accepts, as far as its responses 413 tell; None if there were none.
    """

    event_id: str = ""
    sent: int = 0
    rejected_since: int | None = None
    max_bytes: int | None = None

    def of_event(self, event_id: str) -> "DeliveryProgress":
        """Return the progress of an event: this one, or that of an event of which nothing has been sent."""
        return self if self.event_id == event_id else DeliveryProgress(event_id, max_bytes=self.max_bytes)

    def after(self, segments: int) -> "DeliveryProgress":
        """Return the progress once a part with so many segments has been delivered."""
        return replace(self, sent=self.sent + segments)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A response that rejects a part of an event that cannot be split any further.

    segments: how many segments are in the part. is_rest: whether nothing of the event remains after it.
    too_large: whether that is the reason. summary: one sentence.
    """

    segments: int
    is_rest: bool
    too_large: bool
    summary: str


def read_progress(job_doc: Mapping[str, Any]) -> DeliveryProgress:
    """Return the progress that is recorded in the document of a job."""
    return DeliveryProgress(**job_doc.get(_MEMBER, {}))


def progress_doc(progress: DeliveryProgress) -> dict[str, Any]:
    """Return the document of a job with this progress."""
    return {_MEMBER: asdict(progress)}
