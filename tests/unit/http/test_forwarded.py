"""Headers of trusted proxies in every lawful spelling, and the base URL that follows from them."""

import logging

import pytest

from tams_server.http import forwarded
from tams_server.http.forwarded import PublicAddress, read_forwarded
from tests.unit.conftest import Client

HOST = "a.example"
PROTO, XHOST, PORT, PREFIX = "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix"


@pytest.fixture(autouse=True)
def _nothing_logged_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarded, "_logged", set())
    forwarded._cached.cache_clear()


@pytest.mark.parametrize("text", ["https", "HTTPS", " Https ", "https, http", "https,http", ",https", '"https"'])
def test_scheme_is_read_in_any_spelling(text: str) -> None:
    assert read_forwarded({PROTO: text}).scheme == "https"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("a.example", "a.example", None),
        (" a.example ", "a.example", None),
        ("A.Example", "A.Example", None),
        ("a.example:8443", "a.example", "8443"),
        ("a.example:08443", "a.example", "8443"),
        ("a.example:", "a.example", None),
        ("a.example , b.example", "a.example", None),
        ('"a.example:8443"', "a.example", "8443"),
        ("a_b", "a_b", None),
        ("10.0.0.1:80", "10.0.0.1", "80"),
        ("[2001:DB8::1]", "[2001:DB8::1]", None),
        ("[2001:db8::1]:80", "[2001:db8::1]", "80"),
        ("2001:db8::1", "[2001:db8::1]", None),
    ],
)
def test_host_is_read_in_any_spelling(text: str, host: str, port: str | None) -> None:
    found = read_forwarded({XHOST: text})
    assert (found.host, found.port) == (host, port)


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("/tams", "/tams"),
        ("/tams/", "/tams"),
        ("tams", "/tams"),
        ("/", ""),
        (" /tams/v8.2 , /other", "/tams/v8.2"),
        ("/t%20ms", "/t%20ms"),
        ("/a@b:c=d", "/a@b:c=d"),
        ("/a..b", "/a..b"),
    ],
)
def test_prefix_is_read_in_any_spelling(text: str, prefix: str) -> None:
    assert read_forwarded({PREFIX: text}).prefix == prefix


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("proto=https;host=a.example", PublicAddress("https", HOST)),
        ("Proto=HTTPS;Host=a.example", PublicAddress("https", HOST)),
        ('host="a.example:8443"; proto=https', PublicAddress("https", HOST, "8443")),
        ('for="[2001:db8::1]:4711" ; proto = https ; host=a.example, for=1.2.3.4', PublicAddress("https", HOST)),
        ('host="[2001:db8::1]:8443"', PublicAddress(None, "[2001:db8::1]", "8443")),
        ('host="a\\.example"', PublicAddress(None, HOST)),
        ('for="a,b;c=d";host=a.example', PublicAddress(None, HOST)),
        (", ,proto=https", PublicAddress("https")),
        ("proto=https, proto=http", PublicAddress("https")),
        ("for=_hidden;by=203.0.113.43", PublicAddress()),
        ("", PublicAddress()),
    ],
)
def test_forwarded_is_read_as_rfc_7239_defines_it(text: str, expected: PublicAddress) -> None:
    assert read_forwarded({"forwarded": text}) == expected


def test_forwarded_counts_only_without_x_forwarded_headers() -> None:
    """A proxy that sets the latter may pass on the former from clients."""
    assert read_forwarded({PROTO: "https", "forwarded": "host=evil.example"}) == PublicAddress("https")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (PROTO, "javascript"),
        (PROTO, "https://"),
        (XHOST, "evil.example/path?"),
        (XHOST, "user@evil.example"),
        (XHOST, "a b"),
        (XHOST, "a.example:99999"),
        (XHOST, "[::1"),
        (XHOST, "[1:2]"),
        (XHOST, "a" * 300),
        (PORT, "http"),
        (PORT, "0"),
        (PORT, "65536"),
        (PREFIX, "//evil.example"),
        (PREFIX, "/a/../b"),
        (PREFIX, "/a/%2e%2e/b"),
        (PREFIX, "/a?b"),
        (PREFIX, "/a b"),
        (PREFIX, "/%zz"),
        (PREFIX, "/" + "a" * 300),
        ("forwarded", 'host="a.example'),
        ("forwarded", "host=a b"),
        ("forwarded", "proto=gopher"),
    ],
)
def test_invalid_values_are_ignored_and_logged_once(name: str, text: str, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        assert read_forwarded({name: text}) == PublicAddress()
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert name in warnings[0].getMessage()
    assert text.partition("=")[2] in warnings[0].getMessage()


def test_logged_values_cannot_forge_lines(caplog: pytest.LogCaptureFixture) -> None:
    read_forwarded({XHOST: "a\x1b[2J\n2026 INFO forged"})
    assert "\x1b" not in caplog.text
    assert "\\x1b[2J\\n2026" in caplog.text


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({PROTO: "https", PORT: "443"}, "https://tams.test"),
        ({PROTO: "https", PORT: "8443"}, "https://tams.test:8443"),
        ({PROTO: "https", PORT: "8443, 80", XHOST: "a.example"}, "https://a.example:8443"),
        ({PROTO: "https", PORT: "8443", XHOST: "a.example:9443"}, "https://a.example:9443"),
        ({PROTO: "https", XHOST: "a.example:443"}, "https://a.example"),
        ({XHOST: "a.example:80"}, "http://a.example"),
        ({PREFIX: "/tams/"}, "http://tams.test/tams"),
        ({"forwarded": 'proto=HTTPS;host="a.example:8443"'}, "https://a.example:8443"),
    ],
)
def test_base_url_follows_the_proxy(make_client, headers: dict[str, str], base: str) -> None:  # type: ignore[no-untyped-def]
    client: Client = make_client(trust_proxy=True)
    client.get("/flows", headers=headers)
    assert client.stub.call.base_url == base
