"""Ways in which a receiver (tests.faults.receivers) responds to a request, most of them wrong."""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class Received:
    """One complete request.

    number, connection: position of the request and of its connection at this receiver, from 0. headers: by lower-case
    name. started_at, received_at, responded_at: time.monotonic() at its first byte, its last byte and the end of the
    response (None until then). overlaps: numbers of the requests still in progress when this one was complete.
    """

    number: int
    connection: int
    method: str
    target: str
    headers: dict[str, str]
    raw_headers: list[tuple[str, str]]
    body: bytes
    started_at: float
    received_at: float
    overlaps: frozenset[int]
    responded_at: float | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Exchange:
    """What a behaviour works with. closing: set once the receiver closes."""

    request: Received
    socket: socket.socket
    closing: threading.Event

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)


Behaviour = Callable[[Exchange], bool]
"""Responds to a request. Returns whether the connection stays open for another."""


def respond(
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    after_s: float = 0.0,
    close: bool = False,
) -> Behaviour:
    """Send a complete response `after_s` seconds after the request. close: then close the connection."""

    def behaviour(exchange: Exchange) -> bool:
        if after_s and exchange.closing.wait(after_s):
            return False
        exchange.send(_head(status, {"Content-Length": str(len(body)), **(headers or {})}, status != 204) + body)
        return not close

    return behaviour


def redirect(location: str, status: int = 302) -> Behaviour:
    return respond(status, {"Location": location})


def hang() -> Behaviour:
    """Send nothing until the receiver or the client closes the connection."""

    def behaviour(exchange: Exchange) -> bool:
        exchange.socket.settimeout(0.05)
        while not exchange.closing.is_set():
            with contextlib.suppress(TimeoutError):
                if not exchange.socket.recv(65536):
                    return False
        return False

    return behaviour


def send_and_close(data: bytes) -> Behaviour:
    """Send these bytes and close the connection: invalid HTTP, an incomplete response, a wrong length."""

    def behaviour(exchange: Exchange) -> bool:
        exchange.send(data)
        return False

    return behaviour


def incomplete_head() -> Behaviour:
    return send_and_close(b"HTTP/1.1 200 OK\r\nContent-Le")


def incomplete_body(size: int = 1000, sent: int = 500) -> Behaviour:
    return send_and_close(_head(200, {"Content-Length": str(size)}) + b"x" * sent)


def reset() -> Behaviour:
    """Reset the connection without a response."""

    def behaviour(exchange: Exchange) -> bool:
        exchange.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return behaviour


def drip(data: bytes, *, every_s: float = 0.1) -> Behaviour:
    """Send the bytes one at a time, then close the connection."""

    def behaviour(exchange: Exchange) -> bool:
        for byte in data:
            exchange.send(bytes([byte]))
            if exchange.closing.wait(every_s):
                break
        return False

    return behaviour


def drip_head(*, every_s: float = 0.1) -> Behaviour:
    """Send the head of a response one byte at a time, without ever completing it."""
    return drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000, every_s=every_s)


def drip_body(status: int = 200, *, every_s: float = 0.1, size: int = 10_000) -> Behaviour:
    """Send the head at once, then a body of `size` bytes one byte at a time."""

    def behaviour(exchange: Exchange) -> bool:
        exchange.send(_head(status, {"Content-Length": str(size)}))
        return drip(b"x" * size, every_s=every_s)(exchange)

    return behaviour


def large_body(size: int, status: int = 200, *, part: int = 65536) -> Behaviour:
    """Send a body of `size` bytes as fast as the client reads it."""

    def behaviour(exchange: Exchange) -> bool:
        exchange.send(_head(status, {"Content-Length": str(size)}))
        for start in range(0, size, part):
            exchange.send(b"x" * min(part, size - start))
        return True

    return behaviour


def chunked(*parts: bytes, complete: bool = True) -> Behaviour:
    """Send a chunked body. If not complete, close the connection before the last chunk."""

    def behaviour(exchange: Exchange) -> bool:
        exchange.send(_head(200, {"Transfer-Encoding": "chunked"}))
        for part in parts:
            exchange.send(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        if complete:
            exchange.send(b"0\r\n\r\n")
        return complete

    return behaviour


def _head(status: int, headers: Mapping[str, str], length: bool = True) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items() if length or name != "Content-Length"]
    return "\r\n".join([f"HTTP/1.1 {status} Private reason", *lines, "", ""]).encode("latin-1")
