"""Which addresses the server connects to by itself: public ones, and those the deployment allows (HOOK-POST-08)."""

import ipaddress
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from storage.errors import Invalid
from tams_server.outbound.dns_lookups import Lookups, Resolver, Unresolved, system_resolver
from tams_server.outbound.target_url import BadUrl, read_target

Address = IPv4Address | IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

REGISTRATION_LOOKUP_S = 2.0

# Named here as well where ipaddress knows them, since what it calls global differs between versions of Python.
_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers; metadata of some clouds
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # host services of Azure, behind an address that looks public
        "169.254.0.0/16",  # link-local; metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; metadata of Oracle's cloud
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which carries any IPv4 address
        "3fff::/20",  # documentation
    )
)
_UNICAST = ipaddress.IPv6Network("2000::/3")  # the only range of IPv6 with public addresses
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # NAT64: the IPv4 address in the last 32 bits is reached

_PRIVATE_NAMES = ("internal", "local", "localdomain", "home.arpa")
"""Names under these belong to somebody's own network, whatever a public server says of them."""

_OTHER_PROTOCOLS = frozenset(
    {1433, 1521, 2049, 3306, 3389, 5060, 5061, 5432, 5672, 5900, 6000, 6379, *range(6665, 6670), 6697, 11211, 27017}
)
"""Databases, caches, queues, desktops, telephony and chat, which might take a request for commands of their own."""


class RefusedAddress(Exception):
    """The server does not connect there. Its text completes a sentence that begins with the field's name, and tells
    no address that the URL does not show."""


class AddressRules:
    """Where the server may connect.

    allowed: networks that are free to use with any port (TAMS_WEBHOOK_ALLOW), as CIDR text or networks; ValueError for
    others. resolver: how names are looked up.
    """

    def __init__(self, allowed: Iterable[str | Network] = (), resolver: Resolver = system_resolver) -> None:
        self._allowed = tuple(ip_network(network) for network in allowed)
        self._lookups = Lookups(resolver)

    def check_url(self, url: str, field: str) -> None:
        """Raise Invalid where `url`, the value of `field`, is not one that the server would call.

        A name without an address at the moment passes: each connection is checked again.
        """
        try:
            target = read_target(url)
            try:
                self.permitted(target.host, target.port, REGISTRATION_LOOKUP_S)
            except Unresolved:
                self._check(target.host, target.port, ())
        except (BadUrl, RefusedAddress) as refused:
            raise Invalid(f"{field} {refused}", field=field, behaviour="HOOK-POST-08") from None

    def permitted(self, host: str, port: int, timeout_s: float) -> list[Address]:
        """The addresses to connect to for `host`. Raises RefusedAddress unless all are permitted, and Unresolved."""
        known = self._known(host)
        addresses = known or _parsed(self._lookups.addresses(host, timeout_s))
        self._check(host, port, addresses)
        return addresses

    async def permitted_async(self, host: str, port: int, timeout_s: float) -> list[Address]:
        """As `permitted`, for coroutines."""
        known = self._known(host)
        addresses = known or _parsed(await self._lookups.addresses_async(host, timeout_s))
        self._check(host, port, addresses)
        return addresses

    def _known(self, host: str) -> list[Address]:
        """The addresses of a host that needs no lookup: an address, or a name of this machine (RFC 6761)."""
        if host == "localhost" or host.endswith(".localhost"):
            loopback: list[Address] = [IPv4Address("127.0.0.1"), IPv6Address("::1")]
            return [address for address in loopback if self._is_allowed(address)] or loopback
        try:
            return [ip_address(host)]
        except ValueError:
            return []

    def _check(self, host: str, port: int, addresses: Sequence[Address]) -> None:
        if addresses and all(self._is_allowed(address) for address in addresses):
            return
        if any(host == name or host.endswith(f".{name}") for name in _PRIVATE_NAMES):
            raise RefusedAddress(f"names the host {host}, and such names are of private networks")
        if not all(self._is_allowed(address) or is_public(address) for address in addresses):
            raise RefusedAddress(
                f"names the host {host}, which is not at a public address (but at a loopback, private, link-local or "
                "other special one), nor in a network that TAMS_WEBHOOK_ALLOW names"
            )
        if (port < 1024 and port not in (80, 443)) or port in _OTHER_PROTOCOLS:
            raise RefusedAddress(f"names the port {port}, which is meant for other protocols than HTTP")

    def _is_allowed(self, address: Address) -> bool:
        reached = _reached(address)
        return any(address in network or reached in network for network in self._allowed)


def is_public(address: Address) -> bool:
    """Whether `address` is reached over the Internet, and by its plain form (or through NAT64) only."""
    if isinstance(address, IPv6Address):
        if address in _TRANSLATED:
            return is_public(_reached(address))
        if address not in _UNICAST:
            return False
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)


def _reached(address: Address) -> Address:
    """The IPv4 address that a connection to a mapped or translated IPv6 address ends at; else the address."""
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or address in _TRANSLATED):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _parsed(addresses: Sequence[str]) -> list[Address]:
    return [ip_address(address) for address in addresses]
