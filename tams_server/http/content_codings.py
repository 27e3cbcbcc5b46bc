"""Content-Encoding of request bodies (RFC 9110, section 8.4): gzip and deflate, inflated up to a maximum size."""

import zlib
from collections.abc import Iterator

from starlette.types import Scope

from storage.errors import Invalid
from tams_server import error_codes
from tams_server.errors import TooLarge, UnsupportedMediaType
from tams_server.http.body_memory import BodyShare
from tams_server.specification.explain import format_value

ACCEPTED = {"Accept-Encoding": "gzip, deflate"}
"""The header of an error response that says which codings are accepted."""

_GZIP_WINDOW = zlib.MAX_WBITS | 16
_MAX_MEMBERS = 16
"""gzip data may consist of several members."""
_STEP = 16 * 1024
"""Encoded bytes that are passed to zlib at once, which copies those that it has no room for."""
_PIECE = 256 * 1024
"""Decoded bytes that zlib returns at once."""


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
            code=error_codes.BODY_CODING,
            headers=dict(ACCEPTED),
            field="Content-Encoding",
        )
    return codings[0]


def inflate(raw: bytes | bytearray, coding: str, max_bytes: int, share: BodyShare) -> bytearray:
    """Return the decoded body. share: to hold its bytes in, as they are decoded.

    Raises TooLarge beyond `max_bytes`, of which no more is decoded, Invalid and TooManyBodies.
    """
    decoded = bytearray()
    rest, members = memoryview(raw), 0
    window = _GZIP_WINDOW if coding == "gzip" else _deflate_window(raw)
    while rest and members < _MAX_MEMBERS:
        inflater = zlib.decompressobj(window)
        while rest and not inflater.eof:
            part: bytes | memoryview = rest[:_STEP]
            rest = rest[_STEP:]
            try:
                for piece in _pieces(inflater, part):
                    share.add(len(piece))
                    decoded += piece
                    if len(decoded) > max_bytes:
                        raise TooLarge(f"the body must be at most {max_bytes} bytes once decoded")
            except zlib.error:
                raise _invalid(coding) from None
        if not inflater.eof:
            raise _invalid(coding)
        rest = memoryview(raw)[len(raw) - len(rest) - len(inflater.unused_data) :]
        members += 1
    if rest:
        raise _invalid(coding)
    return decoded


def _pieces(inflater: "zlib._Decompress", part: bytes | memoryview) -> Iterator[bytes]:
    """Yield what a part of the body decodes to, in pieces of a bounded size. Raises zlib.error."""
    while True:
        piece = inflater.decompress(part, _PIECE)
        yield piece
        part = inflater.unconsumed_tail
        if inflater.eof or (not part and len(piece) < _PIECE):
            return


def _deflate_window(raw: bytes | bytearray) -> int:
    """Return the window of zlib's format, or that of the bare data that some clients send as "deflate"."""
    has_header = len(raw) >= 2 and raw[0] & 15 == zlib.DEFLATED and int.from_bytes(raw[:2]) % 31 == 0
    return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS


def _invalid(coding: str) -> Invalid:
    return Invalid(
        f"the body is not valid {coding}, as Content-Encoding says it is",
        code=error_codes.BODY_CODING_INVALID,
        field="Content-Encoding",
    )
