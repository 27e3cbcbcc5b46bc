"""Clients that send or receive hardly anything, and too many connections: their places become free again."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.faults.server_process import TOKEN, ServerProcess

WINDOW_S = 1.5
OBJECT_BYTES = 24 * 2**20
"""More than the buffers of a connection hold."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    settings = {"TAMS_WORKERS": "1", "TAMS_MIN_RATE": "2000", "TAMS_MIN_RATE_WINDOW": str(WINDOW_S)}
    with ServerProcess(tmp_path_factory.mktemp("slow"), settings) as server:
        yield server


def connect(server: ServerProcess, receive_buffer: int | None = None) -> socket.socket:
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(20)
    connection.connect(("127.0.0.1", urlsplit(server.url).port))
    return connection


def sockets(server: ServerProcess) -> int:
    [pid] = server.serving_pids()
    found = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found += str(link.readlink()).startswith("socket:")
    return found


@dataclass(frozen=True)
class Allocated:
    flow_id: str
    object_id: str
    url: str
    headers: dict[str, str]


def allocate(client: httpx.Client) -> Allocated:
    document = flow()
    client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    [allocated] = client.post(f"/flows/{document['id']}/storage", json={"limit": 1}).json()["media_objects"]
    put_url = allocated["put_url"]
    return Allocated(document["id"], allocated["object_id"], put_url["url"], {"Content-Type": put_url["content-type"]})


@pytest.fixture(scope="module")
def stored(server: ServerProcess) -> str:
    """The path and query of a URL of a large object."""
    with server.client() as client:
        made = allocate(client)
        httpx.put(made.url, content=b"x" * OBJECT_BYTES, headers=made.headers, timeout=60).raise_for_status()
        segment = {"object_id": made.object_id, "timerange": "[0:0_1:0)"}
        client.post(f"/flows/{made.flow_id}/segments", json=segment).raise_for_status()
        found = client.get(f"/objects/{made.object_id}").json()["get_urls"]
    parts = urlsplit(found[0]["url"])
    return f"{parts.path}?{parts.query}"


def request(target: str, *lines: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: a", *lines, "", ""]).encode()


def test_downloads_that_are_not_read_end(server: ServerProcess, stored: str) -> None:
    before = sockets(server)
    with ExitStack() as stack:
        for _ in range(10):
            connection = stack.enter_context(connect(server, 4096))
            connection.sendall(request(stored))
        wait_until(lambda: sockets(server) >= before + 10, "the downloads to begin")
        wait_until(lambda: sockets(server) <= before, "the downloads to be ended", timeout_s=WINDOW_S * 6)


def test_pages_that_are_not_read_end(server: ServerProcess) -> None:
    before = sockets(server)
    with connect(server, 4096) as connection:
        connection.sendall(request("/openapi.json", "Connection: keep-alive") * 200)
        wait_until(lambda: sockets(server) > before, "the connection to be accepted")
        wait_until(lambda: sockets(server) <= before, "the connection to be ended", timeout_s=WINDOW_S * 6)


def test_slow_but_steady_downloads_are_completed(server: ServerProcess, stored: str) -> None:
    with connect(server, 65536) as connection:
        connection.sendall(request(stored, "Connection: close", "Range: bytes=0-3999999"))
        received, started = 0, time.monotonic()
        while chunk := connection.recv(32768):
            received += len(chunk)
            time.sleep(0.03)
        assert received > 4_000_000
        assert time.monotonic() - started > WINDOW_S * 1.5, "too fast to prove anything"


def trickle(connection: socket.socket, seconds: float) -> bytes:
    """Send a byte every 0.1 s until there is a response, and return it."""
    connection.settimeout(0.1)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            return connection.recv(65536)
        connection.sendall(b" ")
    return b""


def test_json_bodies_that_trickle_end(server: ServerProcess) -> None:
    head = request(
        f"/flows/{flow()['id']}",
        f"Authorization: Bearer {TOKEN}",
        "Content-Type: application/json",
        "Content-Length: 100000",
        method="PUT",
    )
    with connect(server) as connection:
        connection.sendall(head)
        response = trickle(connection, WINDOW_S * 4)
    assert response.startswith(b"HTTP/1.1 408 ")
    assert b"too slowly" in response


@pytest.mark.parametrize("coding", ["Content-Length: 100000000", "Transfer-Encoding: chunked"])
def test_uploads_that_trickle_end(server: ServerProcess, coding: str) -> None:
    with server.client() as client:
        made = allocate(client)
    parts = urlsplit(made.url)
    lines = [f"{name}: {value}" for name, value in made.headers.items()]
    with connect(server) as connection:
        connection.sendall(request(f"{parts.path}?{parts.query}", *lines, coding, method="PUT"))
        if coding.endswith("chunked"):
            connection.sendall(b"5f5e100\r\n")
        response = trickle(connection, WINDOW_S * 6)
    assert response.startswith(b"HTTP/1.1 408 ")


def test_slow_but_steady_uploads_are_completed(server: ServerProcess) -> None:
    with server.client() as client:
        made = allocate(client)

    def body() -> Iterator[bytes]:
        for _ in range(30):
            time.sleep(0.1)
            yield b"x" * 1000

    assert httpx.put(made.url, content=body(), headers={**made.headers, "Content-Length": "30000"}).status_code == 200


def test_connections_are_limited(tmp_path: Path) -> None:
    settings = {"TAMS_WORKERS": "1", "TAMS_MAX_CONNECTIONS": "20"}
    with ServerProcess(tmp_path, settings) as server, ExitStack() as stack:
        held = [stack.enter_context(connect(server)) for _ in range(20)]
        for _ in range(3):
            response = httpx.get(f"{server.url}/healthz")
            assert response.status_code == 503
            assert response.headers["Retry-After"] == "5"
            assert response.headers["Connection"] == "close"
            assert json.loads(response.content)["code"] == "connection.too_many"
        flood = [stack.enter_context(connect(server)) for _ in range(60)]
        wait_until(lambda: sockets(server) < 60, "most of them to be closed")
        for connection in held + flood:
            connection.close()
        wait_until(lambda: _is_alive(server), "room for others")


def _is_alive(server: ServerProcess) -> bool:
    try:
        return httpx.get(f"{server.url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_connections_of_an_address_are_limited(tmp_path: Path) -> None:
    settings = {"TAMS_WORKERS": "1", "TAMS_MAX_CONNECTIONS_PER_ADDRESS": "5"}
    with ServerProcess(tmp_path, settings) as server, ExitStack() as stack:
        held = [stack.enter_context(connect(server)) for _ in range(5)]
        response = httpx.get(f"{server.url}/healthz")
        assert (response.status_code, response.headers["Retry-After"]) == (429, "5")
        other = httpx.HTTPTransport(local_address="127.0.0.9")
        with httpx.Client(transport=other) as client:
            assert client.get(f"{server.url}/healthz").status_code == 200
        held.pop().close()
        wait_until(lambda: _is_alive(server), "room for another")
