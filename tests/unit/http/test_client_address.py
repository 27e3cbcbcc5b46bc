"""The address by which failed logins are counted."""

import pytest

from tams_server.http.client_address import client_address


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        (None, ""),
    ],
)
def test_addresses_of_connections(client: str | None, address: str) -> None:
    scope = {"client": None if client is None else (client, 4000), "headers": [(b"x-forwarded-for", b"10.9.9.9")]}
    assert client_address(scope, trust_proxy=False) == address


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (b"203.0.113.5", "203.0.113.5"),
        (b"10.0.0.1, 203.0.113.5", "203.0.113.5"),
        (b"[2001:db8::1]", "2001:db8::/64"),
        (b"203.0.113.5:61234", "203.0.113.5"),
        (b"10.0.0.1, [2001:db8::1]:61234", "2001:db8::/64"),
        (b"203.0.113.5, nonsense", "192.0.2.7"),
        (b"203.0.113.5," + b" " * 30000, "192.0.2.7"),
        (b"", "192.0.2.7"),
    ],
)
def test_the_nearest_proxy_names_the_client(forwarded: bytes, address: str) -> None:
    scope = {"client": ("192.0.2.7", 4000), "headers": [(b"x-forwarded-for", forwarded)]}
    assert client_address(scope, trust_proxy=True) == address


def test_a_proxy_that_adds_a_line_of_its_own_counts_and_not_the_line_of_the_client() -> None:
    """HAProxy's `option forwardfor` leaves the header of the client as it is, and adds another one."""
    lines = [(b"x-forwarded-for", b"10.0.0.1"), (b"host", b"a"), (b"x-forwarded-for", b"203.0.113.5")]
    scope = {"client": ("192.0.2.7", 4000), "headers": lines}
    assert client_address(scope, trust_proxy=True) == "203.0.113.5"
    assert client_address(scope, trust_proxy=False) == "192.0.2.7"
