"""The right to have the service delete a flow and its segments in time: that to delete them (TMO-07, -08)."""

from collections.abc import Iterator, Mapping
from typing import Any

from storage import error_codes
from storage.catalog.access.checks import find_permissions, not_permitted
from storage.catalog.caller import Caller
from storage.catalog.flows.content_range import measure_content_span
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.retention_tags import TAGS
from storage.errors import Forbidden
from storage.tables.transaction import Reader


def check_retention_change(tx: Reader, caller: Caller, stored: Mapping[str, Any], doc: Mapping[str, Any]) -> None:
    """Check that a caller by whose change tags of retention begin to count may delete what they may delete.

    They begin to count when they are added or changed, and when the flow is no longer read-only. To remove one deletes
    nothing sooner.

    Who has created a flow that has no segments yet can set them without the scope to delete, as recorders do: there is
    nothing to lose, and who records there finds the tags. Where there are rules on classes, it takes permission to
    delete the flow all the same.

    stored, doc: the flow before and after the change. Raises: Forbidden.
    """
    for name, field in _effective(stored, doc):
        _check_may_delete(tx, caller, stored, name, field)


def _effective(stored: Mapping[str, Any], doc: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The tags that begin to count, each with the member that makes it count."""
    before, after = stored.get("tags", {}), doc.get("tags", {})
    is_released = bool(stored.get("read_only")) and not doc.get("read_only")
    for name in TAGS:
        if name in after:
            if after[name] != before.get(name):
                yield name, f"tags.{name}"
            elif is_released:
                yield name, "read_only"


def _check_may_delete(tx: Reader, caller: Caller, flow: Mapping[str, Any], name: str, field: str) -> None:
    flow_id = flow["id"]
    if "delete" not in find_permissions(tx, caller, KIND, flow_id):
        raise Forbidden(
            f"{name} makes this service delete segments or the flow, which takes permission to delete:"
            f" {not_permitted(KIND, flow_id, 'delete').message}",
            code=error_codes.RIGHTS_RETENTION,
            field=field,
            behaviour="AUTHZ-03",
        )
    if caller.may(["delete"]):
        return
    start, end = measure_content_span(tx, flow_id)
    if start != end or flow["created_by"] != caller.name:
        raise Forbidden(
            f"{name} makes this service delete segments or the flow: on a flow that has segments, or that another has"
            " created, it takes the scope tams-api/delete too",
            code=error_codes.RIGHTS_RETENTION,
            field=field,
            behaviour="SCOPE-01",
        )
