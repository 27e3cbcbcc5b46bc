"""The addresses that the server may connect to: public ones, and networks that the deployment allows (HOOK-POST-08)."""

import ipaddress
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from storage import error_codes
from storage.errors import Invalid
from tams_server.outbound.dns_lookups import DnsLookupFailed, DnsLookups, Resolver, system_resolver
from tams_server.outbound.target_url import InvalidUrl, read_target

Address = IPv4Address | IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

REGISTRATION_LOOKUP_S = 2.0

# Listed even where ipaddress knows them, since its notion of "global" differs between versions of Python.
_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; metadata services of some clouds
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # host services of Azure, at an address that looks public
        "169.254.0.0/16",  # link-local; metadata services of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; metadata service of Oracle Cloud
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved and broadcast
        "2001::/23",  # protocol assignments, including Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which embeds any IPv4 address
        "3fff::/20",  # documentation
    )
)
_UNICAST = ipaddress.IPv6Network("2000::/3")  # the only IPv6 range with public addresses
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # NAT64: leads to the IPv4 address in the last 32 bits

_PRIVATE_NAMES = ("internal", "local", "localdomain", "home.arpa")
"""Domains of private networks, whatever a public name server says."""

_OTHER_PROTOCOLS = frozenset(
    {1433, 1521, 2049, 3306, 3389, 5060, 5061, 5432, 5672, 5900, 6000, 6379, *range(6665, 6670), 6697, 11211, 27017}
)
"""Ports of databases, caches, queues, desktops, telephony and chat, which might interpret a request as commands."""


class AddressNotAllowed(Exception):
    """The server may not connect to this address.

    The message completes a sentence that begins with the name of the field. It reveals no address that a name resolved
    to.
    """


class AddressRules:
    """Decides where the server may connect.

    allowed: networks that may be reached on any port (TAMS_WEBHOOK_ALLOW). Raises ValueError for an invalid network.
    """

    def __init__(self, allowed: Iterable[str | Network] = (), resolver: Resolver = system_resolver) -> None:
        self._allowed = tuple(ip_network(network) for network in allowed)
        self._lookups = DnsLookups(resolver)

    def check_url(self, url: str, field: str) -> None:
        """Raise Invalid unless the server may call `url`, the value of `field`.

        A name that has no address at present is accepted: each connection is checked again.
        """
        try:
            target = read_target(url)
            try:
                self.allowed_addresses(target.host, target.port, REGISTRATION_LOOKUP_S)
            except DnsLookupFailed:
                self._check(target.host, target.port, ())
        except (InvalidUrl, AddressNotAllowed) as error:
            raise Invalid(
                f"{field} {error}", code=error_codes.URL_NOT_ACCEPTED, field=field, behaviour="HOOK-POST-08"
            ) from None

    def allowed_addresses(self, host: str, port: int, timeout_s: float) -> list[Address]:
        """Look up `host`, in at most `timeout_s` seconds, and return its addresses.

        Raises AddressNotAllowed unless every address and the port are allowed, and DnsLookupFailed.
        """
        addresses = self._addresses_without_lookup(host) or _parsed(self._lookups.addresses(host, timeout_s))
        self._check(host, port, addresses)
        return addresses

    async def allowed_addresses_async(self, host: str, port: int, timeout_s: float) -> list[Address]:
        """Like `allowed_addresses`, for coroutines."""
        addresses = self._addresses_without_lookup(host) or _parsed(
            await self._lookups.addresses_async(host, timeout_s)
        )
        self._check(host, port, addresses)
        return addresses

    def _addresses_without_lookup(self, host: str) -> list[Address]:
        """Return the addresses of a host that needs no lookup: an address, or localhost (RFC 6761). Otherwise []."""
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
            raise AddressNotAllowed(f"has the host {host}, a name reserved for private networks")
        if not all(self._is_allowed(address) or is_public(address) for address in addresses):
            raise AddressNotAllowed(
                f"has the host {host}, whose address is not public (but loopback, private, link-local or otherwise "
                "special) and not in TAMS_WEBHOOK_ALLOW"
            )
        if (port < 1024 and port not in (80, 443)) or port in _OTHER_PROTOCOLS:
            raise AddressNotAllowed(f"has the port {port}, which is used by protocols other than HTTP")

    def _is_allowed(self, address: Address) -> bool:
        effective = _effective_address(address)
        return any(address in network or effective in network for network in self._allowed)


def is_public(address: Address) -> bool:
    """Return whether `address` is public: native IPv4 or IPv6, or a public IPv4 address behind NAT64."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return is_public(_effective_address(address))
        if address not in _UNICAST:
            return False
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)


def _effective_address(address: Address) -> Address:
    """Return the IPv4 address that an IPv4-mapped or NAT64 address leads to; otherwise the address itself."""
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or address in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _parsed(addresses: Sequence[str]) -> list[Address]:
    return [ip_address(address) for address in addresses]
