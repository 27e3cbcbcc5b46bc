"""A URL that the server is to call, read strictly: one spelling of each host, none that two parsers see differently."""

import ipaddress
import re
import socket
import unicodedata
from dataclasses import dataclass

LONGEST_URL = 8192  # characters; presigned URLs with a session token take some three thousand
_DEFAULT_PORTS = {"http": 80, "https": 443}

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<slashes>//)?(?P<authority>[^/?#]*)(?P<rest>[^#]*)(?:#.*)?")
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(?::(?P<port>[0-9]{0,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class BadUrl(ValueError):
    """The URL is not one that the server calls. Its text completes a sentence that begins with the field's name."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes.

    host: an IP address (IPv6 without brackets) or a lower-case ASCII name without a closing dot.
    url: the URL with that host, without fragment, and without the port where it is the scheme's own.
    """

    scheme: str
    host: str
    port: int
    url: str

    @property
    def shown(self) -> str:
        """The URL without its query, which may hold a signature: for messages."""
        return self.url.partition("?")[0]


def read_target(url: str) -> Target:
    """Take `url` apart. Raises BadUrl for all but http and https, without user information, to a host that is well
    written; numbers in place of an IPv4 address (2130706433, 0x7f.1, 0177.0.0.1) are read as connecting would."""
    if len(url) > LONGEST_URL:
        raise BadUrl(f"is longer than {LONGEST_URL} characters")
    if any(character == "\\" or unicodedata.category(character)[0] in "CZ" for character in url):
        raise BadUrl("holds a space, a control character or a backslash")
    parts = _URL.fullmatch(url)
    scheme = parts["scheme"].lower() if parts else ""
    if parts is None or scheme not in _DEFAULT_PORTS or not parts["slashes"]:
        raise BadUrl("must be an absolute URL that begins with http:// or https://")
    if "@" in parts["authority"]:
        raise BadUrl("must not hold a user name or password")
    authority = _AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        raise BadUrl("has no well-formed host and port")
    port = int(authority["port"] or _DEFAULT_PORTS[scheme])
    if not 1 <= port <= 65535:
        raise BadUrl("has a port outside 1 to 65535")
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
            raise BadUrl("has a host in brackets that is not an IPv6 address (without a zone)") from None
    name = text.lower() if text.isascii() else _ascii(text)
    labels = name.removesuffix(".").split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadUrl("has no well-formed host")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(".".join(labels))
    return ".".join(labels)


def _ascii(name: str) -> str:
    """The ASCII form of an internationalised name, with full-width digits and dots and the like made plain."""
    import idna

    try:
        plain = idna.uts46_remap(name, std3_rules=True)
        return plain if plain.isascii() else idna.encode(plain).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise BadUrl("has a host that is no valid internationalised name") from None


def _ipv4(text: str) -> str:
    """A name whose last label is a number can only be an IPv4 address, in any of the ways that inet_aton(3) reads."""
    try:
        return str(ipaddress.IPv4Address(socket.inet_aton(text)))
    except OSError:
        raise BadUrl("has a host that ends in a number and is not an IPv4 address") from None
