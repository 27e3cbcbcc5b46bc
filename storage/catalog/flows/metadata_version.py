"""The metadata_version of flows: every change of a flow's metadata gives it a new one."""

import uuid
from collections.abc import Mapping
from typing import Any

from storage.catalog.clock import unix_seconds
from storage.preconditions import ResourceState, ResourceVersion, digest_of


def next_metadata_version(requested: Any, current: str | None) -> str:
    """The metadata_version after a change: the client's if it is a new one, else one of our own (FLOW-META-09 to -16).

    requested: metadata_version of the request's body, of any JSON type; None if it has none.
    current: the stored version; None for a new flow.
    """
    if isinstance(requested, str) and requested != current:
        return requested
    return uuid.uuid4().hex


def flow_version(doc: Mapping[str, Any]) -> ResourceVersion:
    """Return the version of a flow: that of its metadata. Segments do not change it, but the date of modification.

    doc: the flow's document, as stored or as shown. Clients choose values of metadata_version, and may choose an
    earlier one again, so the time of the change counts too.
    """
    tag = digest_of([doc["metadata_version"], doc["metadata_updated"]])
    return ResourceVersion(tag, unix_seconds(max(doc["metadata_updated"], doc.get("segments_updated", ""))))


def flow_state(doc: Mapping[str, Any]) -> ResourceState:
    """Return the state with which the preconditions of a change of a flow are compared. doc: as stored."""
    version = flow_version(doc)
    return ResourceState(version=version.tag, modified=version.modified)
