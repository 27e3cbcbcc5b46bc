"""The documents of flows that a replica has: while it is being filled, and once it has what FROM has. No I/O."""

from typing import Any

from tams_server.client.documents import Flow, Json

IN_PROGRESS = "replication_in_progress"
_MANAGED = frozenset({"created", "metadata_updated", "segments_updated", "timerange", "collected_by"})
"""Members that each server manages for itself (flow-common.json)."""
_NOT_COMPARED = frozenset({*_MANAGED, "created_by", "updated_by", "metadata_version"})
_UNFINISHED = ("ingesting", IN_PROGRESS)
_TECHNICAL = (
    "format",
    "codec",
    "container",
    "avg_bit_rate",
    "segment_duration",
    "container_mapping",
    "essence_parameters",
)
"""Members that a profile can hold."""


def is_live(flow: Flow) -> bool:
    """Whether content is still being added at FROM, as far as its status says."""
    return flow.get("status") in _UNFINISHED


def resting(flow: Flow) -> Flow:
    """The flow as it is at TO when nothing more is copied: exactly as at FROM, with its metadata_version.

    But a flow that is being ingested at FROM waits for content at TO. As its metadata differ then, it has no
    version of FROM.
    """
    document = {name: value for name, value in flow.items() if name not in _MANAGED}
    if is_live(flow):
        document["status"] = "awaiting_content"
        document.pop("metadata_version", None)
    return document


def working(flow: Flow) -> Flow:
    """The flow as it is at TO while segments are being copied: writable, with the standard's status for that."""
    document = resting(flow) | {"status": IN_PROGRESS}
    for name in ("metadata_version", "read_only"):
        document.pop(name, None)
    return document


def differs(wanted: Flow, there: Flow) -> bool:
    """Whether a flow at TO is not as wanted. An absent member equals an empty one, and an unset read_only false."""
    version = wanted.get("metadata_version")
    if version is not None and version != there.get("metadata_version"):
        return True
    return _compared(wanted) != _compared(there)


def is_other_flow(flow: Flow, there: Flow) -> str | None:
    """Why the flow with this id at TO is not the same one; None if it is."""
    for name in ("source_id", "format"):
        if flow.get(name) != there.get(name):
            return f"its {name} is {there.get(name)} at TO and {flow.get(name)} at FROM"
    return None


def with_profile(document: Flow) -> Flow:
    """A document to PUT that takes the technical metadata from its profile."""
    return {name: value for name, value in document.items() if name not in _TECHNICAL}


def without_profile(document: Flow, there: Flow | None) -> Flow:
    """A document to PUT that states the technical metadata itself, and removes a link that the flow has at TO."""
    plain = {name: value for name, value in document.items() if name != "profile_id"}
    return plain | {"profile_id": ""} if there is not None and there.get("profile_id") else plain


def _compared(document: Json) -> Json:
    found: dict[str, Any] = {name: value for name, value in document.items() if name not in _NOT_COMPARED}
    return {name: value for name, value in found.items() if value not in (None, False, {}, [], "")}
