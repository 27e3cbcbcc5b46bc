"""The documents of TAMS as the clients have them: those of `models`, with what this server adds, and JSON.

Documents stay what they are, JSON: members that a later 8.x version adds are kept.
"""

from typing import Any, NotRequired

from tams_server.client import models
from tams_server.client.models import FailedSegment, GetUrl, InitReference, MediaObject, Slot, Source, Tags

__all__ = ["FailedSegment", "Flow", "GetUrl", "InitReference", "Json", "MediaObject", "Segment", "Slot", "Source"]

Json = dict[str, Any]
Flow = dict[str, Any]
"""A flow, of any format. Always has `id`, `source_id` and `format`; `models.Flow` is its type by format."""


class Segment(models.Segment):
    """A segment as it is listed. tags: of servers that have them, as this one has."""

    tags: NotRequired[Tags]
