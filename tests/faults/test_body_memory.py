"""Many large bodies that are sent slowly do not add up in the memory of a process (docs/security.md)."""

import contextlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.faults.request_cost import CostMeter
from tests.faults.server_process import TOKEN, ServerProcess

MIB = 2**20
BODY = 15 * MIB
LIMIT = 32 * MIB
CLIENTS = 8


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path, {"TAMS_WORKERS": "1", "TAMS_BODY_MEMORY": str(LIMIT)}) as running:
        yield running


def start_body(server: ServerProcess, path: str) -> socket.socket:
    """Send a body of 16 MiB without its end."""
    connection = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))
    connection.sendall(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {16 * MIB}\r\n\r\n".encode()
    )
    with contextlib.suppress(OSError):  # the server may close the connection after its response
        connection.sendall(b"[" + b" " * (BODY - 1))
    return connection


def response_of(connection: socket.socket) -> bytes:
    """Return what the server has sent within a moment; nothing if it waits for the rest of the body."""
    connection.settimeout(0.5)
    try:
        return connection.recv(65_536)
    except TimeoutError:
        return b""


def test_slow_bodies_are_bounded_together(server: ServerProcess) -> None:
    [pid] = server.serving_pids()
    meter = CostMeter(server.subject, pid)
    made = flow()
    path = f"/flows/{made['id']}/segments"
    with server.client() as client, ExitStack() as connections:
        client.put(f"/flows/{made['id']}", json=made).raise_for_status()
        before = meter.memory()
        opened = [connections.enter_context(start_body(server, path)) for _ in range(CLIENTS)]
        answers = [response_of(connection) for connection in opened]
        rejected = [answer for answer in answers if answer]
        assert len(rejected) == CLIENTS - LIMIT // BODY
        for answer in rejected:
            head = answer.lower()
            assert head.startswith(b"http/1.1 503 ")
            assert b"\r\nretry-after: " in head
            assert b"\r\nconnection: close\r\n" in head
        assert meter.memory() - before < LIMIT + 24 * MIB
        # Ordinary requests are served meanwhile.
        client.put(f"/flows/{made['id']}/label", json="x" * 10_000).raise_for_status()
        large = b'"x"' + b" " * (MIB - 3)
        assert client.put(f"/flows/{made['id']}/label", content=large).status_code == 204
        assert client.post(path, content=b"[" + b" " * (15 * MIB) + b"]").status_code == 503
    with server.client() as client:

        def is_free() -> bool:
            return client.post(path, content=b"[" + b" " * (15 * MIB) + b"]").status_code != 503

        wait_until(is_free, "the memory of bodies that were given up", 10)
