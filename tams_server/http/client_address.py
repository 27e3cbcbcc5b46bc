"""The address of a client: by which failures and requests are counted, and for logs."""

import functools
import ipaddress
from collections.abc import Mapping
from typing import Final

from starlette.types import Scope

_IPV6_PREFIX: Final = 64
_MAX_TEXT: Final = 2000


def client_address(scope: Scope, headers: Mapping[bytes, bytes], *, trust_proxy: bool) -> str:
    """Return the address from which a request comes, or "" if it is unknown. Of IPv6 it is the network of 64 bits.

    headers: the first value of each header, by lower-case name. trust_proxy: whether the last address in
    X-Forwarded-For, which the nearest proxy has added, counts instead of that of the connection.
    """
    address = exact_address(scope, headers, trust_proxy=trust_proxy)
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))


def exact_address(scope: Scope, headers: Mapping[bytes, bytes], *, trust_proxy: bool) -> str:
    """Return the address from which a request comes, or "" if it is unknown. Arguments: as of `client_address`."""
    forwarded = headers.get(b"x-forwarded-for", b"") if trust_proxy else b""
    client = scope.get("client")
    named = _address(forwarded[-_MAX_TEXT:].decode("latin-1").rpartition(",")[2]) if forwarded else None
    return named or _address(client[0] if client else "") or ""


@functools.lru_cache(maxsize=1024)
def _address(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text.strip().strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
