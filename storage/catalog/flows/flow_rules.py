"""What a flow document may say: pure rules, without the tables."""

import uuid
from collections.abc import Mapping
from typing import Any

from storage.catalog.profiles import TECHNICAL
from storage.errors import Forbidden, Invalid
from storage.tables.engine import Row

COMMON = ("label", "description", "tags", "generation", "status", "read_only", "max_bit_rate", "flow_collection")
"""The members, beside the technical ones, that a client sets and a PUT replaces (FLOW-PUT-08). Those that the service
manages itself, and members that no schema knows, are left out of what is stored (A21, A22)."""


def check_body(flow_id: str, body: Mapping[str, Any]) -> None:
    """Refuse another id, and a profile together with what only a profile may say (FLOW-PUT-04, FLOW-PROF-04, -10)."""
    if body["id"] != flow_id:
        raise Invalid(
            f"id {body['id']!r} must equal the id in the path, {flow_id}", field="id", behaviour="FLOW-PUT-04"
        )
    profile_id = body.get("profile_id", "")
    if not isinstance(profile_id, str):
        raise Invalid(
            "profile_id must be a text: a profile's id, or empty to end the link",
            field="profile_id",
            behaviour="FLOW-PROF-10",
        )
    technical = [name for name in TECHNICAL if name in body]
    if profile_id and technical:
        raise Invalid(
            f"{technical[0]} comes from the profile: leave it out, or set profile_id to an empty text to end the link",
            field=technical[0],
            behaviour="FLOW-PROF-04",
        )
    if not profile_id and "format" not in body:
        raise Invalid(
            "profile_id is empty, so that the flow needs a format and all that goes with it",
            field="profile_id",
            behaviour="FLOW-PROF-09",
        )


def technical_of(doc: Mapping[str, Any]) -> dict[str, Any]:
    return {name: doc[name] for name in TECHNICAL if name in doc}


def common_of(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in COMMON if name in body}


def check_format(doc: Mapping[str, Any], stored: Mapping[str, Any] | None, source_format: str | None) -> None:
    """A flow keeps its format, and shares it with its source (FLOW-SRC-01, -02, A26)."""
    if stored is not None and stored["format"] != doc["format"]:
        raise Invalid(
            f"format cannot be changed from {stored['format']} to {doc['format']}",
            field="format",
            behaviour="FLOW-SRC-02",
        )
    if source_format is not None and source_format != doc["format"]:
        raise Invalid(
            f"format {doc['format']} is not that of source {doc['source_id']}, {source_format}",
            field="format",
            behaviour="FLOW-SRC-01",
        )


def check_source(doc: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
    """A flow stays with its source (A14)."""
    if stored["source_id"] != doc["source_id"]:
        raise Invalid(
            f"source_id cannot be changed from {stored['source_id']} to {doc['source_id']}",
            field="source_id",
            behaviour="FLOW-SRC-07",
        )


def check_writable(row: Mapping[str, Any]) -> None:
    """Raises Forbidden for a read-only flow (RO-01 to RO-10, A65)."""
    if row["read_only"]:
        raise Forbidden(
            f"flow {row['id']} is read-only; PUT false to its read_only first", field="read_only", behaviour="RO-01"
        )


def next_version(wanted: Any, stored: str | None) -> str:
    """The metadata_version after a write: the client's where it is a new one, else one of our own (FLOW-META-09 to
    -16)."""
    if isinstance(wanted, str) and wanted != stored:
        return wanted
    return uuid.uuid4().hex


def columns_of(doc: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that filters and sorting use (FLOW-LIST-02 to -13, A16, A17)."""
    essence = doc.get("essence_parameters", {})
    video = essence if doc["format"] == "urn:x-nmos:format:video" else {}
    return {
        "id": doc["id"],
        "source_id": doc["source_id"],
        "profile_id": doc.get("profile_id"),
        "format": doc["format"],
        "codec": doc.get("codec"),
        "container": doc.get("container"),
        "label": doc.get("label", ""),
        "unlabelled": "label" not in doc,
        "status": doc.get("status"),
        "frame_width": video.get("frame_width"),
        "frame_height": video.get("frame_height"),
        "init_segments": essence.get("init_segments", False),
        "read_only": doc.get("read_only", False),
    }


def check_container(flow: Row) -> None:
    """A flow takes objects only once it says what container they have (SEG-POST-05, STO-15)."""
    if flow["container"] is None:
        raise Invalid(
            f"flow {flow['id']} has no container, and so takes no objects", field="container", behaviour="SEG-POST-05"
        )
