"""Request headers in an ASGI scope."""

import re
from collections.abc import Iterable

from starlette.types import Scope

from tams_server.http.limits import PREFLIGHT_BYTES

_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]+")


def first_values(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the first value of each header, by name."""
    return dict(reversed(list(headers)))


def all_headers(scope: Scope) -> dict[str, str]:
    """Return all headers by lower-case name. The values of a repeated header are joined with commas."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def allowed_headers(requested: str | None) -> str:
    """Return the Access-Control-Allow-Headers of a preflight: any header may be sent.

    The requested names are repeated, because not every browser knows "*"; but not if they make the response large.
    """
    if requested and len(requested) <= PREFLIGHT_BYTES and _HEADER_NAMES.fullmatch(requested):
        return requested
    return "*, Authorization, Content-Type, X-Request-Id"
