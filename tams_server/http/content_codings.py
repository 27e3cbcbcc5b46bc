"""Content-Encoding of request bodies (RFC 9110, section 8.4): gzip and deflate, inflated up to a maximum size."""

import zlib

from starlette.types import Scope

from storage.errors import Invalid
from tams_server.errors import TooLarge, UnsupportedMediaType
from tams_server.specification.explain import format_value

ACCEPTED = {"Accept-Encoding": "gzip, deflate"}
"""The header of an error response that says which codings are accepted."""

_GZIP_WINDOW = zlib.MAX_WBITS | 16
_MAX_MEMBERS = 16
"""gzip data may consist of several members; each costs a copy of the rest."""


def content_coding(scope: Scope) -> str | None:
    """Return "gzip" or "deflate", or None for a body that is not encoded.

    Raises UnsupportedMediaType for another coding, or for several at once.
    """
    sent = b",".join(value for name, value in scope["headers"] if name == b"content-encoding").decode("latin-1")
    if not sent:
        return None
    codings = [coding.strip().lower().removeprefix("x-") for coding in sent.split(",")]
    codings = [coding for coding in codings if coding not in ("", "identity")]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in ("gzip", "deflate"):
        raise UnsupportedMediaType(
            f"Content-Encoding: {format_value(sent)} must be gzip, deflate or identity, and only one of them",
            headers=dict(ACCEPTED),
            field="Content-Encoding",
        )
    return codings[0]


def inflate(raw: bytes, coding: str, max_bytes: int) -> bytes:
    """Return the decoded body. Raises TooLarge beyond `max_bytes`, of which no more is decoded, and Invalid."""
    pieces: list[bytes] = []
    size, members = 0, 0
    window = _GZIP_WINDOW if coding == "gzip" else _deflate_window(raw)
    while raw and members < _MAX_MEMBERS:
        inflater = zlib.decompressobj(window)
        try:
            pieces.append(inflater.decompress(raw, max_bytes - size + 1))
        except zlib.error:
            raise _invalid(coding) from None
        size += len(pieces[-1])
        if size > max_bytes:
            raise TooLarge(f"the body must be at most {max_bytes} bytes once decoded")
        if not inflater.eof:
            raise _invalid(coding)
        raw = inflater.unused_data
        members += 1
    if raw:
        raise _invalid(coding)
    return b"".join(pieces)


def _deflate_window(raw: bytes) -> int:
    """Return the window of zlib's format, or that of the bare data that some clients send as "deflate"."""
    has_header = len(raw) >= 2 and raw[0] & 15 == zlib.DEFLATED and int.from_bytes(raw[:2]) % 31 == 0
    return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS


def _invalid(coding: str) -> Invalid:
    return Invalid(f"the body is not valid {coding}, as Content-Encoding says it is", field="Content-Encoding")
