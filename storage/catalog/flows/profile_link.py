"""The link from a flow to its profile: the profile sets the flow's technical metadata (FLOW-PROF-*)."""

from collections.abc import Mapping
from typing import Any

from storage.catalog import profiles
from storage.catalog.flows import flow_rules
from storage.errors import Forbidden, Invalid
from storage.tables.conditions import equals
from storage.tables.engine import Reader


def resolve_profile(tx: Reader, body: Mapping[str, Any], stored: Mapping[str, Any] | None) -> dict[str, Any]:
    """The document to store for the body of a PUT, with the technical metadata of its profile (AMB-07).

    body: has passed flow_rules.check_body. stored: the flow's present document; None for a new flow.

    Raises: Invalid for an unknown profile, a change of profile while the flow has segments, and a change of a member
        that the profile sets.
    """
    doc = {"id": body["id"], "source_id": body["source_id"], **flow_rules.common_members(body)}
    linked = stored.get("profile_id") if stored else None
    profile_id = body.get("profile_id")
    if profile_id:
        if stored is not None and profile_id != linked:
            _check_no_segments(tx, stored["id"])
        profile = profiles.get_row(tx, profile_id)
        if profile is None:
            raise Invalid(
                f"profile_id {profile_id!r} is not a profile of this service",
                field="profile_id",
                behaviour="FLOW-PROF-02",
            )
        return {**doc, **profile["doc"]["flow_metadata"], "profile_id": profile_id}
    technical = flow_rules.technical_members(body)
    if stored is not None and linked and profile_id is None:
        changed = [name for name in profiles.TECHNICAL if technical.get(name) != stored.get(name)]
        if changed:
            raise Invalid(
                f"{changed[0]} is set by profile {linked}: remove the link with an empty profile_id first",
                field=changed[0],
                behaviour="FLOW-PROF-07",
            )
        doc["profile_id"] = linked
    return doc | technical


def check_not_set_by_profile(stored: Mapping[str, Any], name: str, *, unset: bool) -> None:
    """Reject a change of one member that the flow's profile sets.

    stored: the flow's document. unset: whether the member is to be removed.

    Raises: Forbidden for its removal (AMB-07), Invalid for a new value (FLOW-ABR-05).
    """
    if name not in profiles.TECHNICAL or "profile_id" not in stored:
        return
    message = f"{name} of flow {stored['id']} is set by its profile: remove the link with an empty profile_id first"
    if unset:
        raise Forbidden(message, field=name, behaviour="AMB-07")
    raise Invalid(message, field=name, behaviour="FLOW-ABR-05")


def _check_no_segments(tx: Reader, flow_id: str) -> None:
    if tx.select("segments", equals(flow_id=flow_id), limit=1, columns=["flow_id"]):
        raise Invalid(
            "profile_id cannot be changed while the flow has segments", field="profile_id", behaviour="AMB-07"
        )
