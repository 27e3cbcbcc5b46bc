"""The host and the target of a request (RFC 9112, section 3.2), from which links and signed URLs are made."""

import functools
import ipaddress
import re
from collections.abc import Sequence
from typing import NamedTuple

from tams_server.errors import BadRequest, UnsupportedTransferCoding
from tams_server.specification.explain import format_value

_MAX_HOST = 255
_MAX_PORT = 65535
_HOST = re.compile(r"(?P<name>[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>0*[0-9]{0,5}))?")
_ABSOLUTE = re.compile(rb"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)


class Target(NamedTuple):
    """A target in origin form. scheme, host: those of a target that was sent in absolute form, else None."""

    origin_form: bytes
    scheme: str | None = None
    host: bytes | None = None


def check_host(values: Sequence[bytes], http_version: str) -> None:
    """Check the Host headers of a request. Only HTTP/1.0 does without. Raises BadRequest."""
    if len(values) == 1:
        if not is_host(values[0]):
            shown = format_value(values[0].decode("latin-1"))
            raise BadRequest(f"Host: {shown} must be a host name or IP address, optionally with a port", field="Host")
    elif values:
        raise BadRequest(f"Host: must be given only once, not {len(values)} times", field="Host")
    elif http_version != "1.0":
        raise BadRequest("Host: is missing; HTTP/1.1 requires it", field="Host")


def check_transfer_coding(values: Sequence[bytes]) -> None:
    """Check the Transfer-Encoding headers of a request (RFC 9112, section 6.1). Raises UnsupportedTransferCoding."""
    if {coding.strip().lower() for coding in b",".join(values).split(b",")} - {b"chunked", b""}:
        raise UnsupportedTransferCoding("Transfer-Encoding: must be chunked, or absent")


def origin_form(target: bytes, method: str) -> Target:
    """Return the target with its path and query only. Raises BadRequest for a target that is not http(s)."""
    if target.startswith(b"/"):
        return Target(target)
    if target == b"*" and method == "OPTIONS":
        return Target(target)
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        shown = format_value(target.decode("latin-1"))
        raise BadRequest(f"the request target {shown} must be a path or a URL with http:// or https://")
    authority, rest = match["authority"], match["rest"]
    if not is_host(authority):
        shown = format_value(authority.decode("latin-1"))
        raise BadRequest(f"the host {shown} in the request target must be a host name or an IP address")
    return Target(rest if rest.startswith(b"/") else b"/" + rest, match["scheme"].decode().lower(), authority)


def is_host(value: bytes) -> bool:
    """Return whether `value` is a host name or IP address, optionally with a port, that can be part of a URL."""
    return len(value) <= _MAX_HOST and _is_host(value.decode("latin-1"))


@functools.lru_cache(maxsize=256)
def _is_host(text: str) -> bool:
    match = _HOST.fullmatch(text)
    if match is None or int((match["port"] or "").lstrip("0") or 0) > _MAX_PORT:
        return False
    if not text.startswith("["):
        return True
    try:
        ipaddress.IPv6Address(match["name"][1:-1])
    except ValueError:
        return False
    return True
