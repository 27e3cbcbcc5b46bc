"""The boundary between the parts of a body of multipart/form-data (RFC 2046, section 5.1.1)."""

from typing import Final

from python_multipart.multipart import parse_options_header

from storage.errors import Invalid
from tams_server import error_codes
from tams_server.specification.explain import format_value
from tams_server.specification.operations import FORM

_MAX_CHARACTERS: Final = 70
_CHARACTERS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'()+_,-./:=? ")


def boundary_of(content_type: bytes) -> bytes | None:
    """Return the boundary in a Content-Type header; None for another type than multipart/form-data. Raises Invalid."""
    if content_type[: len(FORM)].lower() != FORM.encode() or content_type[len(FORM) :].lstrip()[:1] not in (b"", b";"):
        return None
    boundary = parse_options_header(content_type.decode("latin-1"))[1].get(b"boundary", b"")
    if not 1 <= len(boundary) <= _MAX_CHARACTERS or not _CHARACTERS.issuperset(boundary) or boundary.endswith(b" "):
        raise Invalid(
            f"Content-Type: the boundary must have 1 to {_MAX_CHARACTERS} letters, digits and '()+_,-./:=? and must not"
            f" end in a space; it is {format_value(boundary.decode('latin-1'))}",
            code=error_codes.BODY_FORM,
            field="Content-Type",
        )
    return boundary
