"""Headers of trusted proxies: X-Forwarded-Proto, -Host, -Port and -Prefix, or Forwarded (RFC 7239).

Of a list the first value counts, which the outermost proxy has set. Values are normalised before they are checked; one
that is still invalid is ignored, and logged once.
"""

import contextlib
import functools
import ipaddress
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tams_server.http.request_target import is_host

_log = logging.getLogger(__name__)

HEADERS: Final = ("x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix")
FORWARDED: Final = "forwarded"
DEFAULT_PORTS: Final = {"http": "80", "https": "443"}

_MAX_PREFIX = 200
_MAX_ELEMENT = 2048
"""What one proxy may say; only the first element is read."""
_MAX_LOGGED = 1000
_SHOWN = 200
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_MAX_PORT = 65535
_PREFIX = re.compile(r"(/(?!\.{1,2}(/|\Z))(?:[A-Za-z0-9._~!$&'()*+=:@-]|%[0-9A-Fa-f]{2})+)*")
_ENCODED_DOTS = re.compile(r"%(2e|2f|5c|00)", re.IGNORECASE)
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
# Spaces are matched without going back ("*+"), or a long header of nothing else would take a time that is quadratic.
_PAIR = re.compile(rf'\s*+(?:({_NAME})\s*+=\s*+(?:{_QUOTED}|([^\s",;]*+))\s*+)?([;,]|\Z)')

_logged: set[tuple[str, str]] = set()


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """What proxies say about the URL that the client used; None where they say nothing.

    prefix: a path without a slash at its end, or "". port: of `host`, or for the host of the request if `host` is None.
    """

    scheme: str | None = None
    host: str | None = None
    port: str | None = None
    prefix: str | None = None


def read_forwarded(headers: Mapping[str, str]) -> PublicAddress:
    """Return what the headers of proxies say. headers: those in HEADERS and FORWARDED that were sent, by name.

    Forwarded counts only without any X-Forwarded header: a proxy that sets these may pass on the Forwarded of clients.
    """
    if not headers:
        return PublicAddress()
    if all(len(value) <= _MAX_PREFIX * 4 for value in headers.values()):
        return _cached(tuple(sorted(headers.items())))
    return _read(headers)


@functools.lru_cache(maxsize=256)
def _cached(headers: tuple[tuple[str, str], ...]) -> PublicAddress:
    return _read(dict(headers))


def _read(headers: Mapping[str, str]) -> PublicAddress:
    if any(name in headers for name in HEADERS):
        proto, host, port, prefix = (_first(headers.get(name, "")) for name in HEADERS)
        names = HEADERS
    else:
        pairs = _first_element(headers[FORWARDED])
        proto, host, port, prefix = pairs.get("proto", ""), pairs.get("host", ""), "", ""
        names = (FORWARDED,) * 4
    found_host, found_port = _host(names[1], host)
    return PublicAddress(
        scheme=_scheme(names[0], proto),
        host=found_host,
        port=found_port or _port(names[2], port),
        prefix=_prefix(names[3], prefix),
    )


def _first(value: str) -> str:
    return value.lstrip(', \t"').partition(",")[0].strip(' \t"')


def _first_element(value: str) -> dict[str, str]:
    """Return the parameters of the first element of a Forwarded header, by lower-case name; none if it is malformed."""
    pairs: dict[str, str] = {}
    value = value.lstrip(", \t")
    position = 0
    while position < len(value):
        match = _PAIR.match(value, position) if position < _MAX_ELEMENT else None
        if match is None:
            _log_ignored(FORWARDED, value)
            return {}
        name, quoted, token, end = match.groups()
        if name is not None:
            pairs[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else token
        if (end == "," and pairs) or not end:
            break
        position = match.end()
    return pairs


def _scheme(header: str, text: str) -> str | None:
    scheme = text.strip().lower()
    if not scheme or scheme in DEFAULT_PORTS:
        return scheme or None
    _log_ignored(header, text)
    return None


def _host(header: str, text: str) -> tuple[str | None, str | None]:
    """Return host and port. The port is None if there is none."""
    host = text.strip()
    if not host:
        return None, None
    with contextlib.suppress(ValueError):
        host = f"[{ipaddress.IPv6Address(host)}]"
    if not is_host(host.encode("latin-1", "replace")):
        _log_ignored(header, text)
        return None, None
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host, None
    return name, port.lstrip("0") or None


def _port(header: str, text: str) -> str | None:
    if not text:
        return None
    if _PORT.fullmatch(text) and int(text) <= _MAX_PORT:
        return text
    _log_ignored(header, text)
    return None


def _prefix(header: str, text: str) -> str | None:
    prefix = text.rstrip("/")
    if not prefix:
        return "" if text else None
    if not prefix.startswith("/"):
        prefix = "/" + prefix
    if len(prefix) <= _MAX_PREFIX and _PREFIX.fullmatch(prefix) and not _ENCODED_DOTS.search(prefix):
        return prefix
    _log_ignored(header, text)
    return None


def _log_ignored(header: str, value: str) -> None:
    """Log, once, that a value is ignored."""
    shown = value[:_SHOWN]
    if (header, shown) not in _logged and len(_logged) < _MAX_LOGGED:
        _logged.add((header, shown))
        _log.warning("ignoring the invalid value %a of the header %s", shown, header)
