"""The address of a client: by which failures and requests are counted, and for logs."""

import functools
import ipaddress
import re
from typing import Final

from starlette.types import Scope

_IPV6_PREFIX: Final = 64
_MAX_TEXT: Final = 2000
_WITH_PORT: Final = re.compile(r"(?:\[([^\]]*)\]|([0-9.]+))(?::[0-9]{1,5})?")
"""Some proxies add the port of the client."""


def client_address(scope: Scope, *, trust_proxy: bool) -> str:
    """Return the address from which a request comes, or "" if it is unknown. Of IPv6 it is the network of 64 bits.

    trust_proxy: whether the last address in X-Forwarded-For, which the nearest proxy has added, counts instead of that
    of the connection.
    """
    address = exact_address(scope, trust_proxy=trust_proxy)
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))


def exact_address(scope: Scope, *, trust_proxy: bool) -> str:
    """Return the address from which a request comes, or "" if it is unknown. Arguments: as of `client_address`."""
    forwarded = _last_forwarded(scope) if trust_proxy else b""
    client = scope.get("client")
    named = _address(forwarded[-_MAX_TEXT:].decode("latin-1").rpartition(",")[2]) if forwarded else None
    return named or _address(client[0] if client else "") or ""


def _last_forwarded(scope: Scope) -> bytes:
    """The last line of X-Forwarded-For. Some proxies add a line of their own, after those that the client has sent."""
    lines: list[bytes] = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return lines[-1] if lines else b""


@functools.lru_cache(maxsize=1024)
def _address(text: str) -> str | None:
    text = text.strip()
    match = _WITH_PORT.fullmatch(text)
    host = (match[1] or match[2] or "") if match else text
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
