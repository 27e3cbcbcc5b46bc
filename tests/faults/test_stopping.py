"""Graceful stop, as in a rolling restart behind a proxy with persistent connections."""

import http.client
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.kit.polling import wait_until
from tests.faults.server_process import ServerProcess

StoppingServer = tuple[ServerProcess, http.client.HTTPConnection]
_STOP_S = 10


def _refuses_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def stopping(tmp_path: Path) -> Iterator[StoppingServer]:
    """A stopping server that no longer listens, and an idle connection that was opened before."""
    with ServerProcess(tmp_path, {"TAMS_WORKERS": "1"}) as server:
        port = int(server.url.rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_STOP_S)
        connection.request("GET", "/healthz")
        assert b"alive" in connection.getresponse().read()
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: _refuses_connections(port), "no more listening", _STOP_S)
        yield server, connection
        connection.close()


def test_request_on_an_idle_connection_is_served_during_a_stop(stopping: StoppingServer) -> None:
    server, connection = stopping
    connection.request("GET", "/healthz")
    response = connection.getresponse()
    assert (response.status, response.headers["Connection"]) == (200, "close")
    assert b"alive" in response.read()
    assert server.process.wait(_STOP_S) == 0


def test_idle_connection_does_not_delay_the_stop(stopping: StoppingServer) -> None:
    server, _ = stopping
    began = time.monotonic()
    assert server.process.wait(_STOP_S) == 0
    assert time.monotonic() - began < _STOP_S / 2
