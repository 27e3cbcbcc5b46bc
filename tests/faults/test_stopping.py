"""A server that is told to stop, as at a rolling restart behind a proxy that keeps connections to it."""

import http.client
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.kit.polling import wait_until
from tests.faults.running import Running

Kept = tuple[Running, http.client.HTTPConnection]
_STOP_S = 10


def _refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """A server that has stopped listening, and a connection to it that was idle then."""
    with Running(tmp_path, {"TAMS_WORKERS": "1"}) as server:
        port = int(server.url.rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_STOP_S)
        connection.request("GET", "/healthz")
        assert b"alive" in connection.getresponse().read()
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: _refuses(port), "no more listening", _STOP_S)
        yield server, connection
        connection.close()


def test_request_on_its_way_when_the_server_stops_is_answered(kept: Kept) -> None:
    server, connection = kept
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert b"alive" in answer.read()
    assert server.process.wait(_STOP_S) == 0


def test_connection_that_stays_idle_does_not_hold_up_the_stop(kept: Kept) -> None:
    server, _ = kept
    began = time.monotonic()
    assert server.process.wait(_STOP_S) == 0
    assert time.monotonic() - began < _STOP_S / 2
