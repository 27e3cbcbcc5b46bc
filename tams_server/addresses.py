"""The address to listen on: checked, opened, and written as part of a URL."""

import ipaddress
import re
import socket
from typing import Final

_NAME = re.compile(r"(?=.{1,253}\Z)(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_NUMERIC_END = re.compile(r"(.*\.)?[0-9]+\.?")
_ANY: Final = ("0.0.0.0", "::")


def plain_host(text: str) -> str:
    """Return a host name or IP address without spaces and brackets around it: "::1" for "[::1]".

    Raises ValueError if it is neither, for instance because it has a port.
    """
    host = text.strip()
    if host.startswith("[") and host.endswith("]") and ":" in host:
        host = host[1:-1]
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not _NAME.fullmatch(host) or _NUMERIC_END.fullmatch(host):
            raise ValueError("must be an IP address or a host name, without scheme and port") from None
    return host


def with_port(host: str, port: int | None) -> str:
    """Return host and port as in a URL, with brackets around an IPv6 address."""
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return bracketed if port is None else f"{bracketed}:{port}"


def local_url(host: str, port: int, *, tls: bool = False) -> str:
    """Return the URL under which a program on this machine reaches a server that listens on `host`."""
    return f"http{'s' if tls else ''}://{with_port('localhost' if host in _ANY else host, port)}"


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound but does not listen yet, so that clients are not connected too early.

    port: 0 for any. Raises OSError with a message that names the address.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except BaseException:
            bound.close()
            raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"cannot listen on {with_port(host, port)}: {reason[:1].lower()}{reason[1:]}") from error
    return bound


def is_loopback(host: str) -> bool:
    """Whether a host name, or an IP address without brackets, means this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
