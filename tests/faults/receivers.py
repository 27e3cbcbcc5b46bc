"""HTTP servers that misbehave as a test requires, and record every request.

    with Receiver([respond(500), respond(200)]) as receiver:   # the last behaviour applies to all further requests
        ...
        receiver.wait_for(lambda received: len(received) == 2, timeout=10)

Instead of a list, a function may choose the behaviour for each request. A receiver listens on a free port of 127.0.0.1,
serves each connection in a thread, and reads bodies with a Content-Length.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.faults.behaviours import Behaviour, Exchange, Received, respond
from tests.faults.unreachable import HOST, bound_socket


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
        self._listener = bound_socket(0)
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
        self._listener = bound_socket(self.port)  # bound but not listening, to reserve the port

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
