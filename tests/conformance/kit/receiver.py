"""An HTTP server for webhooks to send to. It records the requests to each path and responds as configured."""

import ipaddress
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

import httpx

from tests.conformance.kit.ids import fresh

_IDLE_S = 60
_HELD_S = 60
"""Seconds that a connection may be idle, and that a response may be held back."""

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request as it was received. arrived: seconds of the monotonic clock."""

    method: str
    headers: httpx.Headers
    body: bytes
    arrived: float


@dataclass(frozen=True, slots=True)
class Reply:
    """A response to a sender. Status 0 closes the connection without a response."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


HANG_UP = Reply(0)


class Inbox:
    """The deliveries to one path. on_delivery: called with each before the response, while the sender waits."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.on_delivery: Callable[[Delivery], None] | None = None
        self._deliveries: list[Delivery] = []
        self._replies: deque[Reply] = deque()
        self._change = threading.Condition()
        self._open = threading.Event()
        self._open.set()

    def reply(self, *replies: Reply) -> None:
        """Respond to the next requests with these, one each, and to later ones with 200."""
        self._replies.extend(replies)

    def stop_failing(self) -> None:
        """Respond to all further requests with 200."""
        self._replies.clear()

    @contextmanager
    def holding_responses(self) -> Iterator[None]:
        """Hold back all responses until the block ends."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def deliveries(self) -> list[Delivery]:
        """All deliveries so far, oldest first."""
        with self._change:
            return list(self._deliveries)

    def wait_until(self, look: Callable[[Sequence[Delivery]], Found], timeout_s: float) -> Found:
        """Call `look` with all deliveries so far, again after each new one, until it returns a true value or the
        timeout expires. Returns its last result."""
        deadline = time.monotonic() + timeout_s
        while True:
            deliveries = self.deliveries()
            left = deadline - time.monotonic()
            if (found := look(deliveries)) or left <= 0:
                return found
            with self._change:
                if len(self._deliveries) == len(deliveries):
                    self._change.wait(left)

    def receive(self, delivery: Delivery) -> Reply:
        """Record a delivery, and return the reply to it."""
        with self._change:
            self._deliveries.append(delivery)
            reply = self._replies.popleft() if self._replies else Reply()
            self._change.notify_all()
        if self.on_delivery is not None:
            self.on_delivery(delivery)
        self._open.wait(_HELD_S)
        return reply


class Receiver:
    """Inboxes by path. url: where the server under test reaches it. Other paths return 410."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._inboxes: dict[str, Inbox] = {}

    def inbox(self) -> Inbox:
        """A new inbox at a path of its own."""
        path = f"/{fresh()}"
        self._inboxes[path] = Inbox(self.url + path)
        return self._inboxes[path]

    def receive(self, path: str, delivery: Delivery) -> Reply:
        inbox = self._inboxes.get(path.partition("?")[0])
        return inbox.receive(delivery) if inbox else Reply(410)


Kind = TypeVar("Kind", bound=Receiver)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    receiver: Receiver

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors: senders may close connections at any time."""


class _Listener6(_Listener):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    server: _Listener

    def _receive(self) -> None:
        delivery = Delivery(self.command, httpx.Headers(self.headers.items()), self._body(), time.monotonic())
        reply = self.server.receiver.receive(self.path, delivery)
        if reply.status == 0:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    do_POST = do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _receive

    def log_message(self, *_: object) -> None:
        """Log nothing: the tests look at the deliveries."""


@contextmanager
def receiver_at(host: str, kind: type[Kind]) -> Iterator[Kind]:
    """Listen on a free port until the block ends. host: name or address at which the server reaches this machine.
    kind: the class of receiver.

    Listens on that address only if it is a loopback address, else on all interfaces.
    """
    address = _address(host)
    local = address is not None and address.is_loopback
    if address is not None and address.version == 6:
        listener: _Listener = _Listener6((host if local else "::", 0), _Handler)
        host = f"[{host}]"
    else:
        listener = _Listener((host if local else "0.0.0.0", 0), _Handler)
    receiver = listener.receiver = kind(f"http://{host}:{listener.server_address[1]}")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
