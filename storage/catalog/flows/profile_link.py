"""The link from a flow to its profile: the profile sets the flow's technical metadata (FLOW-PROF-*)."""

from collections.abc import Iterable, Mapping
from typing import Any

from storage import error_codes
from storage.catalog import profiles
from storage.catalog.flows import flow_rules
from storage.errors import Forbidden, Invalid
from storage.tables.conditions import In, equals
from storage.tables.rows import ProfileRow
from storage.tables.transaction import Reader


def resolve_profile(tx: Reader, body: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """The document to store for a flow that is replaced, with the technical metadata of its profile (AMB-07).

    body: has passed flow_rules.check_body. stored: the flow's present document.

    Raises: Invalid for an unknown profile, a change of profile while the flow has segments, and a change of a member
        that the profile sets.
    """
    linked = stored.get("profile_id")
    profile_id = body.get("profile_id")
    if profile_id:
        if profile_id != linked:
            _check_no_segments(tx, stored["id"])
        return document_with_profile(body, linked_profiles(tx, [body]))
    if linked and profile_id is None:
        technical = flow_rules.technical_members(body)
        changed = [name for name in profiles.TECHNICAL if technical.get(name) != stored.get(name)]
        if changed:
            raise Invalid(
                f"{changed[0]} is set by profile {linked}: remove the link with an empty profile_id first",
                code=error_codes.PROFILE_SETS_MEMBER,
                field=changed[0],
                behaviour="FLOW-PROF-07",
            )
        return {**document_with_profile(body, {}), "profile_id": linked}
    return document_with_profile(body, {})


def linked_profiles(tx: Reader, bodies: Iterable[Mapping[str, Any]]) -> dict[str, ProfileRow]:
    """The rows of the profiles that these bodies name, by id."""
    ids = sorted({body["profile_id"] for body in bodies if body.get("profile_id")})
    return {row["id"]: row for row in tx.select("profiles", [In("id", ids)])} if ids else {}


def document_with_profile(body: Mapping[str, Any], known: Mapping[str, ProfileRow]) -> dict[str, Any]:
    """The members of a new flow that its client sets, with the technical metadata of its profile, if it names one.

    body: has passed flow_rules.check_body. known: `linked_profiles` of it. Raises: Invalid for an unknown profile.
    """
    doc = {"id": body["id"], "source_id": body["source_id"], **flow_rules.common_members(body)}
    profile_id = body.get("profile_id")
    if not profile_id:
        return doc | flow_rules.technical_members(body)
    if profile_id not in known:
        raise Invalid(
            f"profile_id {profile_id!r} is not a profile of this service",
            code=error_codes.PROFILE_UNKNOWN,
            field="profile_id",
            behaviour="FLOW-PROF-02",
        )
    return {**doc, **known[profile_id]["doc"]["flow_metadata"], "profile_id": profile_id}


def check_not_set_by_profile(stored: Mapping[str, Any], name: str, *, unset: bool) -> None:
    """Reject a change of one member that the flow's profile sets.

    stored: the flow's document. unset: whether the member is to be removed.

    Raises: Forbidden for its removal (AMB-07), Invalid for a new value (FLOW-ABR-05).
    """
    if name not in profiles.TECHNICAL or "profile_id" not in stored:
        return
    message = f"{name} of flow {stored['id']} is set by its profile: remove the link with an empty profile_id first"
    if unset:
        raise Forbidden(message, code=error_codes.PROFILE_SETS_MEMBER_FORBIDDEN, field=name, behaviour="AMB-07")
    raise Invalid(message, code=error_codes.PROFILE_SETS_MEMBER, field=name, behaviour="FLOW-ABR-05")


def _check_no_segments(tx: Reader, flow_id: str) -> None:
    if tx.select("segments", equals(flow_id=flow_id), limit=1, columns=["flow_id"]):
        raise Invalid(
            "profile_id cannot be changed while the flow has segments",
            code=error_codes.FLOW_FIXED_BY_SEGMENTS,
            field="profile_id",
            behaviour="AMB-07",
        )
