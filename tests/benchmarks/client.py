"""An HTTP/1.1 client that costs little: requests are made beforehand, and of responses only the length is read."""

import selectors
import socket
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

HOST = "tams.bench"
"""The Host of every request, so that servers on different ports make the same URLs."""
_BUFFER = 2**20
_SEND_BUFFER = 2**21
_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    head: bytes
    body: bytes


Task = Generator[bytes, Response, None]
"""Yields requests, and is sent the response to each."""


def request(
    method: str, target: str, token: str = "", body: bytes = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {HOST}"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines += [f"Content-Length: {len(body)}"] if body or method in ("PUT", "POST") else []
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """A connection that is kept open, over which one request is in flight at a time."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), timeout=_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # So that a body of some hundred kB is sent without waiting for the server to read it.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._received = bytearray()
        self._head = b""
        self._length = 0

    def exchange(self, request: bytes) -> Response:
        """Send a request, and return the response."""
        self.socket.sendall(request)
        while not self.receive():
            pass
        return self.take()

    def send(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """The JSON of a response, or None. Raises RuntimeError for any other status than 2xx."""
        sent = b"" if body is None else orjson.dumps(body)
        response = self.exchange(request(method, path, token, sent, {"Content-Type": "application/json"}))
        if not 200 <= response.status < 300:
            raise RuntimeError(f"{method} {path}: status {response.status}: {response.body[:500]!r}")
        return orjson.loads(response.body) if response.body else None

    def receive(self) -> bool:
        """Read once; whether the response is complete."""
        data = self.socket.recv(_BUFFER)
        if not data:
            raise ConnectionError("the server has closed the connection")
        self._received += data
        if not self._head:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return False
            self._head = bytes(self._received[: end + 2])
            self._length = end + 4 + _content_length(self._head)
        return len(self._received) >= self._length

    def take(self) -> Response:
        """The response that is complete."""
        head, body = self._head, bytes(self._received[len(self._head) + 2 : self._length])
        self._received.clear()
        self._head = b""
        return Response(int(head[9:12]), head, body)

    def close(self) -> None:
        self.socket.close()


def run(connections: Sequence[Connection], tasks: Sequence[Task], check: Callable[[Response], None]) -> float:
    """Serve each connection from its task until all are exhausted, and return the seconds that it took.

    tasks: one for each connection. check: called with each response.
    """
    with selectors.DefaultSelector() as selector:
        began = time.perf_counter()
        for connection, task in zip(connections, tasks, strict=True):
            connection.socket.sendall(next(task))
            selector.register(connection.socket, selectors.EVENT_READ, (connection, task))
        active = len(connections)
        while active:
            for key, _ in selector.select(_TIMEOUT_S):
                connection, task = key.data
                if connection.receive():
                    response = connection.take()
                    check(response)
                    try:
                        connection.socket.sendall(task.send(response))
                    except StopIteration:
                        selector.unregister(connection.socket)
                        active -= 1
        return time.perf_counter() - began


def expect_success(response: Response) -> None:
    """Raise RuntimeError for any other status than 2xx."""
    if not 200 <= response.status < 300:
        raise RuntimeError(f"status {response.status}: {response.body[:500]!r}")


def _content_length(head: bytes) -> int:
    lower = head.lower()
    start = lower.find(b"\r\ncontent-length:")
    if start < 0:
        return 0
    start += len(b"\r\ncontent-length:")
    return int(lower[start : lower.find(b"\r\n", start)])
