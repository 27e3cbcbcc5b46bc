"""Rules about the content of a flow's document. They read no tables."""

from collections.abc import Mapping
from typing import Any

from storage import error_codes
from storage.catalog.profiles import TECHNICAL
from storage.catalog.tags import check_tags
from storage.errors import Forbidden, Invalid
from storage.tables.limits import ID, NAME, ROLE, check_document, check_text, label_columns
from storage.tables.rows import FlowRow

COMMON = ("label", "description", "tags", "generation", "status", "read_only", "max_bit_rate", "flow_collection")
"""The members, besides the technical ones, that clients set and a PUT replaces (FLOW-PUT-08). Members that the service
manages, and members that no schema knows, are not stored (A21, A22)."""


def check_body(flow_id: str, body: Mapping[str, Any]) -> None:
    """Reject a body with another id, or with a profile and technical members too.

    Raises: Invalid (FLOW-PUT-04, FLOW-PROF-04, -09, -10).
    """
    if body["id"] != flow_id:
        raise Invalid(
            f"id must be {flow_id}, the id of the flow itself, not {body['id']!r}",
            code=error_codes.FLOW_ID_MISMATCH,
            field="id",
            behaviour="FLOW-PUT-04",
        )
    check_sizes(body)
    profile_id = body.get("profile_id", "")
    if not isinstance(profile_id, str):
        raise Invalid(
            "profile_id must be a string: the id of a profile, or an empty string to remove the link",
            code=error_codes.PROFILE_LINK,
            field="profile_id",
            behaviour="FLOW-PROF-10",
        )
    technical = [name for name in TECHNICAL if name in body]
    if profile_id and technical:
        raise Invalid(
            f"{technical[0]} is set by the profile: omit it, or remove the link with an empty profile_id",
            code=error_codes.PROFILE_SETS_MEMBER,
            field=technical[0],
            behaviour="FLOW-PROF-04",
        )
    if not profile_id and "format" not in body:
        raise Invalid(
            "profile_id is empty, so the flow needs a format and the members that the format requires",
            code=error_codes.PROFILE_LINK,
            field="profile_id",
            behaviour="FLOW-PROF-09",
        )


_TEXTS = {"codec": NAME, "container": NAME, "created_by": NAME, "profile_id": ID}


def check_sizes(body: Mapping[str, Any]) -> None:
    """Reject members that are too long, or too many to be stored in one document, and tags without a path.

    body: a flow's document, or some of its members. Raises: Invalid (docs/limits.md).
    """
    for name, most in _TEXTS.items():
        if isinstance(body.get(name), str):
            check_text(body[name], most, name)
    check_tags(body.get("tags", {}))
    for position, item in enumerate(body.get("flow_collection") or ()):
        if "role" in item:
            check_text(item["role"], ROLE, f"flow_collection.{position}.role")
    check_document(body, "flow")


def technical_members(doc: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a document that a profile can set."""
    return {name: doc[name] for name in TECHNICAL if name in doc}


def common_members(body: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a body that clients set, besides the technical ones."""
    return {name: body[name] for name in COMMON if name in body}


def check_format(doc: Mapping[str, Any], stored: Mapping[str, Any] | None, source_format: str | None) -> None:
    """Reject a format other than the flow's own, or its source's (FLOW-SRC-01, -02, A26). Raises: Invalid."""
    if stored is not None and stored["format"] != doc["format"]:
        raise Invalid(
            f"format cannot be changed from {stored['format']} to {doc['format']}",
            code=error_codes.FLOW_FORMAT_FIXED,
            field="format",
            behaviour="FLOW-SRC-02",
        )
    if source_format is not None and source_format != doc["format"]:
        raise Invalid(
            f"format {doc['format']} differs from {source_format}, the format of source {doc['source_id']}",
            code=error_codes.FLOW_SOURCE_FORMAT,
            field="format",
            behaviour="FLOW-SRC-01",
        )


def check_source(doc: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
    """Reject a change of source (A14). Raises: Invalid."""
    if stored["source_id"] != doc["source_id"]:
        raise Invalid(
            f"source_id cannot be changed from {stored['source_id']} to {doc['source_id']}",
            code=error_codes.FLOW_SOURCE_FIXED,
            field="source_id",
            behaviour="FLOW-SRC-07",
        )


def check_writable(row: Mapping[str, Any]) -> None:
    """Reject a change of a read-only flow (RO-01 to RO-10, A65). Raises: Forbidden."""
    if row["read_only"]:
        raise Forbidden(
            f"flow {row['id']} is read-only; set its read_only to false first",
            code=error_codes.FLOW_READ_ONLY,
            field="read_only",
            behaviour="RO-01",
        )


def check_container(flow: FlowRow) -> None:
    """Reject objects for a flow that does not declare their container (SEG-POST-05, STO-15). Raises: Invalid."""
    if flow["container"] is None:
        raise Invalid(
            f"flow {flow['id']} has no container; set one before adding objects",
            code=error_codes.FLOW_NO_CONTAINER,
            field="container",
            behaviour="SEG-POST-05",
        )


def filter_columns(doc: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a flow's row that filters and sorting use (FLOW-LIST-02 to -13, A16, A17)."""
    essence = doc.get("essence_parameters", {})
    video = essence if doc["format"] == "urn:x-nmos:format:video" else {}
    return {
        "id": doc["id"],
        "source_id": doc["source_id"],
        "profile_id": doc.get("profile_id"),
        "format": doc["format"],
        "codec": doc.get("codec"),
        "container": doc.get("container"),
        **label_columns(doc.get("label")),
        "status": doc.get("status"),
        "frame_width": video.get("frame_width"),
        "frame_height": video.get("frame_height"),
        "init_segments": essence.get("init_segments", False),
        "read_only": doc.get("read_only", False),
    }
