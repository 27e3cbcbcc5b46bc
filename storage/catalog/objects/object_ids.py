"""The rules for the ids that clients give to objects."""

from storage import error_codes
from storage.errors import Invalid
from storage.tables.limits import OBJECT_ID, check_text


def check_object_id(object_id: str, field: str) -> None:
    """Reject an id that is empty or too long, or that clients resolve in a path ("." and ".."). Raises: Invalid."""
    if object_id in ("", ".", ".."):
        raise Invalid(
            f"{field} must not be {object_id!r}, which cannot be part of a path",
            code=error_codes.OBJECT_ID_UNUSABLE,
            field=field,
        )
    check_text(object_id, OBJECT_ID, field)
