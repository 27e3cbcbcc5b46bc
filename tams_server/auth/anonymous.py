"""The caller of requests without credentials, where the settings permit them (TAMS_AUTH=off).

The server listens on loopback alone then, but any web page that is open in a browser on the machine can send requests
to it. Those are told by their Origin, by a Host that is a name of the page's own, or by Sec-Fetch-Site, as requests for
images and the like have no Origin.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from storage.catalog.caller import SCOPES, Caller
from tams_server.addresses import is_loopback
from tams_server.auth.presented_credential import challenge
from tams_server.errors import Unauthorized

ANONYMOUS: Final = Caller("anonymous", frozenset(SCOPES))
"""`created_by` of what it creates is this name."""
_OWN_SITES: Final = (b"same-origin", b"none")
"""none: a person has entered the address. Not same-site, which the names of a proxy share with others."""


def anonymous_caller(headers: Mapping[bytes, bytes], *, behind_proxy: bool) -> Caller:
    """Return the caller of a request without credentials.

    headers: the first value of each header, by lower-case name. behind_proxy: whether a trusted proxy sends the
    requests, which then answers for their Host.
    Raises Unauthorized if the request comes from a web page that is not of this machine.
    """
    origin = headers.get(b"origin")
    host = None if behind_proxy else headers.get(b"host")
    if origin is not None:
        if not is_loopback(_host(origin.decode("latin-1"))):
            raise _foreign("Origin")
    elif headers.get(b"sec-fetch-site", b"none") not in _OWN_SITES:
        raise _foreign("the page that sends the request (Sec-Fetch-Site)")
    if host is not None and not is_loopback(_host(f"//{host.decode('latin-1')}")):
        raise _foreign("Host")
    return ANONYMOUS


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _foreign(what: str) -> Unauthorized:
    detail = f"without a credential, {what} must be of this machine (TAMS_AUTH is off)"
    return Unauthorized(detail, headers=challenge())
