"""Strict parsing of URLs for the server to call: hosts are canonicalised, ambiguous URLs rejected."""

import ipaddress
import re
import socket
import unicodedata
from dataclasses import dataclass

MAX_URL_CHARS = 8192  # characters; presigned URLs with a session token have about 3000
_DEFAULT_PORTS = {"http": 80, "https": 443}

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<slashes>//)?(?P<authority>[^/?#]*)(?P<rest>[^#]*)(?:#.*)?")
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(?::(?P<port>[0-9]{0,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class InvalidUrl(ValueError):
    """The URL is not allowed. The message completes a sentence that begins with the name of the field."""


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a request.

    host: an IP address (IPv6 without brackets), or a lower-case ASCII name without a trailing dot. url: the URL with
    this host, without a fragment and without the default port of the scheme.
    """

    scheme: str
    host: str
    port: int
    url: str

    @property
    def without_query(self) -> str:
        """The URL for messages: without its query, which may contain a signature."""
        return self.url.partition("?")[0]


def read_target(url: str) -> Target:
    """Parse `url`. Raises InvalidUrl unless it is an http or https URL without user information and with a valid host.

    Numeric spellings of IPv4 addresses (2130706433, 0x7f.1, 0177.0.0.1) are converted as a connection would read them.
    """
    if len(url) > MAX_URL_CHARS:
        raise InvalidUrl(f"must have at most {MAX_URL_CHARS} characters")
    if any(character == "\\" or unicodedata.category(character)[0] in "CZ" for character in url):
        raise InvalidUrl("must not contain spaces, control characters or backslashes")
    parts = _URL.fullmatch(url)
    scheme = parts["scheme"].lower() if parts else ""
    if parts is None or scheme not in _DEFAULT_PORTS or not parts["slashes"]:
        raise InvalidUrl("must be an absolute URL that begins with http:// or https://")
    if "@" in parts["authority"]:
        raise InvalidUrl("must not contain a user name or password")
    authority = _AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        raise InvalidUrl("has an invalid host or port")
    port = int(authority["port"] or _DEFAULT_PORTS[scheme])
    if not 1 <= port <= 65535:
        raise InvalidUrl("must have a port from 1 to 65535")
    host = _host(authority["host"])
    rest = parts["rest"] if parts["rest"].startswith("/") else f"/{parts['rest']}"
    bracketed = f"[{host}]" if ":" in host else host
    place = bracketed if port == _DEFAULT_PORTS[scheme] else f"{bracketed}:{port}"
    return Target(scheme, host, port, f"{scheme}://{place}{rest}")


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            if "%" in text:
                raise ValueError
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise InvalidUrl("has a host in brackets that is not an IPv6 address without a zone") from None
    name = text.lower() if text.isascii() else _ascii(text)
    labels = name.removesuffix(".").split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidUrl("has an invalid host")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(".".join(labels))
    return ".".join(labels)


def _ascii(name: str) -> str:
    """Convert an internationalised name to ASCII, mapping full-width digits, dots and the like (UTS 46)."""
    import idna

    try:
        plain = idna.uts46_remap(name, std3_rules=True)
        return plain if plain.isascii() else idna.encode(plain).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise InvalidUrl("has an invalid internationalised host name") from None


def _ipv4(text: str) -> str:
    """Parse a host whose last label is a number, as an IPv4 address in any notation of inet_aton(3)."""
    try:
        return str(ipaddress.IPv4Address(socket.inet_aton(text)))
    except OSError:
        raise InvalidUrl("has a host that ends in a number but is not an IPv4 address") from None
