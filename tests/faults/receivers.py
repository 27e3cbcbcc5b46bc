"""HTTP servers that misbehave as a test requires, and record every request.

    with Receiver([respond(500), respond(200)]) as receiver:   # the last behaviour applies to all further requests
        ...
        receiver.wait_for(lambda received: len(received) == 2, timeout=10)

Instead of a list, a function may choose the behaviour for each request. A receiver listens on a free port of 127.0.0.1,
serves each connection in a thread, and reads bodies with a Content-Length.
"""

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HOST = "127.0.0.1"


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


@dataclass
class _Record:
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    broken: int = 0


class Receiver:
    """A server on a free port of 127.0.0.1, from its creation until `close`.

    received: all complete requests so far, in the order of their completion. connections: number accepted. broken:
    number of requests that ended before they were complete.
    """

    def __init__(
        self,
        behave: Callable[[Received], Behaviour] | Sequence[Behaviour] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._behave = behave if behave is not None else [respond()]
        self._tls = tls
        self._changed = threading.Condition()
        self._record = _Record()
        self._in_progress: set[int] = set()
        self._closing = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._listener = _bound(0)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = self._accept_from_request(self._listener)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{HOST}:{self.port}/hook"

    @property
    def received(self) -> list[Received]:
        with self._changed:
            return list(self._record.received)

    @property
    def connections(self) -> int:
        with self._changed:
            return self._record.connections

    @property
    def broken(self) -> int:
        with self._changed:
            return self._record.broken

    def wait_for(self, predicate: Callable[[list[Received]], bool], timeout: float = 10.0) -> list[Received]:
        """Wait until `predicate` holds for the requests received, and return them. AssertionError after `timeout` s."""
        with self._changed:
            if not self._changed.wait_for(lambda: predicate(list(self._record.received)), timeout):
                lines = [
                    f"{request.method} {request.target} {request.body[:100]!r}" for request in self._record.received
                ]
                raise AssertionError(f"not received within {timeout} s; got {len(lines)} requests: {lines[-20:]}")
            return list(self._record.received)

    def behave(self, behave: Callable[[Received], Behaviour] | Sequence[Behaviour]) -> None:
        """Change the behaviour from the next request on. A sequence starts with that request."""
        with self._changed:
            first = len(self._record.received)
        self._behave = behave if callable(behave) else _from_request(first, behave)

    def refuse(self) -> None:
        """Close all connections and refuse new ones until `accept`."""
        self._stop_listening()
        self._listener = _bound(self.port)  # bound but not listening, to reserve the port

    def accept(self) -> None:
        """Accept connections again after `refuse`."""
        self._accepting = self._accept_from_request(self._listener)

    def close(self) -> None:
        self._closing.set()
        self._stop_listening()

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept_from_request(self, listener: socket.socket) -> threading.Thread:
        listener.listen(128)
        thread = threading.Thread(target=self._accept, args=(listener,), name="receiver", daemon=True)
        thread.start()
        return thread

    def _stop_listening(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
        self._listener.close()
        self._accepting.join(10)
        with self._changed:
            open_sockets = list(self._sockets)
        for connection in open_sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._changed:
                number = self._record.connections
                self._record.connections += 1
                self._sockets.add(connection)
                self._changed.notify_all()
            threading.Thread(target=self._serve, args=(connection, number), name="receiver", daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        stream = connection
        try:
            with contextlib.ExitStack() as stack:
                stack.enter_context(connection)
                if self._tls is not None:
                    stream = stack.enter_context(self._tls.wrap_socket(connection, server_side=True))
                    with self._changed:
                        self._sockets ^= {connection, stream}
                with contextlib.suppress(OSError):
                    while self._one_request(stream, number):
                        pass
        except OSError:
            pass  # the TLS handshake failed
        finally:
            with self._changed:
                self._sockets -= {connection, stream}

    def _one_request(self, connection: socket.socket, number: int) -> bool:
        first = connection.recv(65536)
        if not first:
            return False
        started_at = time.monotonic()
        parts = _read_request(connection, first)
        with self._changed:
            if parts is None:
                self._record.broken += 1
                self._changed.notify_all()
                return False
            request = Received(
                len(self._record.received), number, *parts, started_at, time.monotonic(), frozenset(self._in_progress)
            )
            self._record.received.append(request)
            self._in_progress.add(request.number)
            self._changed.notify_all()
        try:
            behave = self._behave
            chosen = behave(request) if callable(behave) else behave[min(request.number, len(behave) - 1)]
            return chosen(Exchange(request, connection, self._closing))
        finally:
            with self._changed:
                request.responded_at = time.monotonic()
                self._in_progress.discard(request.number)
                self._changed.notify_all()


def _from_request(first: int, behaviours: Sequence[Behaviour]) -> Callable[[Received], Behaviour]:
    return lambda request: behaviours[min(request.number - first, len(behaviours) - 1)]


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    return listener


def _read_request(
    connection: socket.socket, data: bytes
) -> tuple[str, str, dict[str, str], list[tuple[str, str]], bytes] | None:
    """Read a request that begins with `data`. Returns None if the connection closes first.

    Otherwise returns method, target, headers by lower-case name, raw headers, and body.
    """
    with contextlib.suppress(OSError):
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = start.split(" ", 2)
        raw = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        headers = {name.lower(): value for name, value in raw}
        while len(body) < int(headers.get("content-length", "0")):
            more = connection.recv(65536)
            if not more:
                return None
            body += more
        return method, target, headers, raw, body
    return None


@contextlib.contextmanager
def refusing_url() -> Iterator[str]:
    """A URL at which connections are refused."""
    with contextlib.closing(_bound(0)) as held:
        yield f"http://{HOST}:{held.getsockname()[1]}/hook"


@contextlib.contextmanager
def unaccepting_url() -> Iterator[str]:
    """A URL whose connections are established by the system but never accepted or read."""
    with contextlib.closing(_bound(0)) as listener:
        listener.listen(16)
        yield f"http://{HOST}:{listener.getsockname()[1]}/hook"


@contextlib.contextmanager
def silent_url() -> Iterator[str]:
    """A URL whose connections are never established: the backlog is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(_bound(0)))
        listener.listen(0)
        for _ in range(64):
            waiting = stack.enter_context(contextlib.closing(socket.socket()))
            waiting.settimeout(0.2)
            try:
                waiting.connect(listener.getsockname())
            except TimeoutError:
                break
        yield f"http://{HOST}:{listener.getsockname()[1]}/hook"


class Listener:
    """A listening socket that counts connections, to prove that there are none."""

    def __init__(self) -> None:
        self._socket = _bound(0)
        self._socket.listen(16)
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]

    def connections(self) -> int:
        """Return the number of connections since the last call, including those that nobody accepted yet."""
        found = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.accept()[0].close()
                found += 1
        return found

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
