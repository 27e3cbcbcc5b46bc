"""Host and target of a request, RFC 9112, section 3.2."""

import pytest

from tams_server.errors import BadRequest
from tams_server.http.request_target import Target, check_host, origin_form


@pytest.mark.parametrize(
    "host",
    [
        "a.example",
        "A.EXAMPLE.",
        "a_b:80",
        "a:",
        "10.0.0.1:4010",
        "[::1]",
        "[2001:db8::1]:65535",
        "xn--bcher-kva.example",
    ],
)
def test_valid_hosts_are_accepted(host: str) -> None:
    check_host([host.encode()], "1.1")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "a/b",
        "a?b",
        "a#b",
        "u@a",
        'a"b',
        "a,b",
        "a;b",
        "a:b",
        "a:1:2",
        "a:65536",
        "a:-1",
        "::1",
        "[::1",
        "[::1]x",
        "[a]",
        "[1.2.3.4]",
        "é",
        "a" * 256,
        "a<b",
        "a\\b",
        "http://a",
    ],
)
def test_invalid_hosts_are_rejected(host: str) -> None:
    for version in ("1.1", "1.0"):
        with pytest.raises(BadRequest, match="Host: "):
            check_host([host.encode("latin-1")], version)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_two_hosts_are_rejected(version: str) -> None:
    with pytest.raises(BadRequest, match="only once"):
        check_host([b"a", b"a"], version)


def test_only_http_1_0_does_without_a_host() -> None:
    check_host([], "1.0")
    with pytest.raises(BadRequest, match="missing"):
        check_host([], "1.1")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/flows?a=b", Target(b"/flows?a=b")),
        (b"//flows", Target(b"//flows")),
        (b"http://a.example/flows?x=http://b/", Target(b"/flows?x=http://b/", "http", b"a.example")),
        (b"HTTPS://a.example:8443", Target(b"/", "https", b"a.example:8443")),
        (b"http://[::1]:80?x", Target(b"/?x", "http", b"[::1]:80")),
    ],
)
def test_target_in_absolute_form_brings_its_own_host(target: bytes, expected: Target) -> None:
    assert origin_form(target, "GET") == expected


@pytest.mark.parametrize("target", [b"flows", b"*", b"ftp://a/flows", b"http:///flows", b"http://u@a/", b"a:80", b""])
def test_other_targets_are_rejected(target: bytes) -> None:
    with pytest.raises(BadRequest):
        origin_form(target, "GET")
