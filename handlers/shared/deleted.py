"""The query parameter `deleted`: what has been deleted and can be restored, in place of what exists (F13)."""

from handlers.shared.call import Call
from storage import error_codes
from storage.catalog.caller import Caller
from storage.errors import Forbidden, Invalid


def wants_deleted(call: Call) -> bool:
    """Whether the request is about deleted resources. Raises: Forbidden unless the caller may delete."""
    if not call.query.get("deleted", False):
        return False
    check_may_delete(call.caller)
    return True


def check_may_delete(caller: Caller) -> None:
    """Raises: Forbidden unless the caller may delete, and so see what has been deleted."""
    if not caller.may(["delete"]):
        raise Forbidden(
            "deleted=true needs the scope tams-api/delete", code=error_codes.DELETED_NOT_PERMITTED, field="deleted"
        )


def not_with_deleted(name: str, given: str) -> Invalid:
    """The error for a query parameter that does not go with deleted=true. given: as it was given, or its name."""
    return Invalid(f"{given} must not be given with deleted=true", code=error_codes.DELETED_PARAMETER, field=name)


def check_filters(call: Call) -> None:
    """Check the filters of a listing of deleted resources. Raises: Invalid for one by their collections."""
    if "collected_by_ids" in call.query:
        raise not_with_deleted("collected_by_ids", "collected_by_ids")
