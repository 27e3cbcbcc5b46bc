"""The values of settings, from the text of a variable. Errors are ValueErrors with the rule that is violated."""

import ipaddress
import math
import types
import typing
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

from tams_server.addresses import plain_host, with_port

_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_PORT_DIGITS = 5
_MAX_PORT = 65535
_PATH = "/%:@!$&'()*+=~"
"""The characters of a path that stay as they are, besides letters, digits, ".", "_" and "-"."""


def parse_public_url(text: str) -> str:
    """Return the URL with its scheme in lower case, and without a slash at its end."""
    try:
        url = urlsplit(text.strip())
        plain_host(url.hostname or "")
        valid = url.scheme in ("http", "https") and url.port != 0 and not (url.query or url.fragment)
    except ValueError:
        valid = False
    if not valid or "@" in url.netloc:
        raise ValueError("must be http(s)://host, optionally with a path")
    return f"{url.scheme}://{url.netloc}{quote(url.path.rstrip('/'), safe=_PATH)}"


def parse_listen(text: str) -> str:
    """Return an address to listen on as "host:port", with brackets around an IPv6 address."""
    host, _, port = text.strip().rpartition(":")
    if not (host and port.isdecimal() and len(port) <= _PORT_DIGITS and 0 < int(port) <= _MAX_PORT):
        raise ValueError("must be host:port, such as 127.0.0.1:9410")
    if ":" in host and not host.startswith("["):
        raise ValueError("must have brackets around an IPv6 address")
    return with_port(plain_host(host), int(port))


def parse_new_source_metadata(text: str) -> str:
    if text.lower() not in ("flow", "none"):
        raise ValueError("must be flow or none")
    return text.lower()


def parse_authorisation(text: str) -> str:
    if text.lower() not in ("off", "classes"):
        raise ValueError("must be off or classes")
    return text.lower()


def one_of(*values: str) -> Callable[[str], str]:
    """Return a parser of settings that have one of these values."""

    def parse(text: str) -> str:
        value = text.strip().lower()
        if value not in values:
            raise ValueError(f"must be {' or '.join(values)}")
        return value

    return parse


def parse_origins(text: str) -> str:
    """Return origins separated by spaces."""
    origins = text.replace(",", " ").split()
    for origin in origins:
        if urlsplit(parse_public_url(origin)).path or not origin.isascii() or set(origin) & set(";'"):
            raise ValueError("must be a list of origins such as https://sso.example.org, without paths")
    return " ".join(origins)


def parse_networks(text: str) -> str:
    """Return networks separated by spaces. Bits of an address beyond its prefix are dropped."""
    networks = []
    for network in text.replace(",", " ").split():
        try:
            networks.append(str(ipaddress.ip_network(network, strict=False)))
        except ValueError as error:
            raise ValueError(f"must be a list of networks such as 10.1.0.0/16: {error}") from None
    return " ".join(networks)


def convert(text: str, hint: Any, minimum: float | None) -> Any:
    """Return the value of a setting. hint: its type, optional or not. minimum: of a number."""
    kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType] or [hint]
    kind = kinds[0]
    if kind is bool:
        if text.strip().lower() not in _BOOLEANS:
            raise ValueError("must be true or false")
        return _BOOLEANS[text.strip().lower()]
    if kind is int:
        if not text.strip().lstrip("-").isdecimal():
            raise ValueError("must be an integer")
        if minimum is not None and int(text) < minimum:
            raise ValueError(f"must be at least {minimum}")
        return int(text)
    if kind is float:
        return _number(text, minimum)
    return kind(text)


def _number(text: str, minimum: float | None) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("must be a number") from None
    if not math.isfinite(value) or (minimum is not None and value < minimum):
        raise ValueError(f"must be at least {minimum}")
    return value
