"""Addresses to listen on: IPv6, host names, and messages about what cannot be used."""

import socket

import pytest

from tams_server.addresses import bind, local_url, plain_host, with_port


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("0.0.0.0", "0.0.0.0"),
        ("::", "::"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        (" localhost ", "localhost"),
        ("a-b.example.", "a-b.example."),
        ("tams_1", "tams_1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_hosts_are_normalised(text: str, host: str) -> None:
    assert plain_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "0.0.0.0:80",
        "localhost:80",
        "[::1]:80",
        "http://a",
        "a/b",
        "256.1.1.1",
        "1.2.3",
        "::g",
        "-a",
        "a..b",
        "[a]",
        "unix:/tmp/socket",
        "a" * 64,
        "é.example",
    ],
)
def test_other_texts_are_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="must be an IP address or a host name"):
        plain_host(text)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://localhost:80"),
        ("::", "http://localhost:80"),
        ("::1", "http://[::1]:80"),
        ("10.0.0.1", "http://10.0.0.1:80"),
        ("a.example", "http://a.example:80"),
    ],
)
def test_local_url_can_be_opened(host: str, url: str) -> None:
    assert local_url(host, 80) == url


def test_an_address_in_brackets_keeps_them() -> None:
    assert with_port("[::1]", 80) == with_port("::1", 80) == "[::1]:80"
    assert with_port("::1", None) == "[::1]"


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"^cannot listen on 127\.0\.0\.1:{port}: address already in use$"):
            bind("127.0.0.1", port)


def test_a_bound_socket_does_not_accept_connections_yet() -> None:
    with bind("127.0.0.1", 0) as bound, pytest.raises(ConnectionRefusedError):
        socket.create_connection(bound.getsockname())
