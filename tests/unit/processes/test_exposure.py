"""Who can reach a server, and the callers without credentials."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tams_server.addresses import is_loopback
from tams_server.auth.anonymous import ANONYMOUS, anonymous_caller
from tams_server.errors import Unauthorized
from tams_server.processes.exposure import check_exposure
from tams_server.settings import Settings, SettingsError


@pytest.fixture
def local() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        yield bound


@pytest.fixture
def reachable() -> Iterator[socket.socket]:
    with socket.create_server(("0.0.0.0", 0)) as bound:
        yield bound


def test_without_authentication_a_server_listens_on_loopback_only(
    local: socket.socket, reachable: socket.socket
) -> None:
    check_exposure(Settings(auth="off"), local)
    with pytest.raises(SettingsError, match="TAMS_AUTH: must be on, as the server listens on 0"):
        check_exposure(Settings(auth="off"), reachable)


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        (Settings(), True),
        (Settings(trust_proxy=True), False),
        (Settings(tls_cert=Path("cert.pem"), tls_key=Path("key.pem")), False),
    ],
)
def test_credentials_in_clear_text_are_warned_of(
    local: socket.socket,
    reachable: socket.socket,
    caplog: pytest.LogCaptureFixture,
    settings: Settings,
    warned: bool,
) -> None:
    with caplog.at_level(logging.WARNING):
        check_exposure(settings, local)
        assert caplog.text == ""
        check_exposure(settings, reachable)
    assert ("without TLS and without a trusted proxy" in caplog.text) == warned


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_loopback(host: str, local: bool) -> None:
    assert is_loopback(host) == local


@pytest.mark.parametrize(
    ("headers", "behind_proxy", "permitted"),
    [
        ({}, False, True),
        ({b"host": b"localhost:4010"}, False, True),
        ({b"host": b"[::1]:4010", b"origin": b"http://localhost:5173"}, False, True),
        ({b"host": b"evil.example"}, False, False),
        ({b"host": b"localhost:4010", b"origin": b"https://evil.example"}, False, False),
        ({b"host": b"localhost:4010", b"origin": b"null"}, False, False),
        ({b"host": b"localhost:4010", b"origin": b"http://["}, False, False),
        ({b"host": b"localhost:4010", b"sec-fetch-site": b"cross-site"}, False, False),
        ({b"host": b"localhost:4010", b"sec-fetch-site": b"same-site"}, False, False),
        ({b"host": b"localhost:4010", b"sec-fetch-site": b"same-origin"}, False, True),
        ({b"host": b"localhost:4010", b"sec-fetch-site": b"none"}, False, True),
        (
            {b"host": b"localhost:4010", b"origin": b"http://127.0.0.1:5173", b"sec-fetch-site": b"cross-site"},
            False,
            True,
        ),
        ({b"host": b"tams.example"}, True, True),
        ({b"host": b"tams.example", b"sec-fetch-site": b"same-site"}, True, False),
        ({b"host": b"tams.example", b"origin": b"https://evil.example"}, True, False),
    ],
)
def test_web_pages_of_others_are_no_anonymous_callers(
    headers: dict[bytes, bytes], behind_proxy: bool, permitted: bool
) -> None:
    if permitted:
        assert anonymous_caller(headers, behind_proxy=behind_proxy) is ANONYMOUS
    else:
        with pytest.raises(Unauthorized, match="TAMS_AUTH is off"):
            anonymous_caller(headers, behind_proxy=behind_proxy)
