"""An HTTP server of the kit's own, for webhooks to send to: it keeps what comes, path by path, and answers as told."""

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
"""For how long a connection may be idle, and an answer held back."""

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request as it came. arrived: by the monotonic clock, in seconds."""

    method: str
    headers: httpx.Headers
    body: bytes
    arrived: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What a sender is told. status: 0 closes the connection without a word."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


HANG_UP = Reply(0)


class Inbox:
    """All that comes to one path. react: called with each delivery before it is answered, in the sender's time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.react: Callable[[Delivery], None] | None = None
        self._came: list[Delivery] = []
        self._replies: deque[Reply] = deque()
        self._change = threading.Condition()
        self._open = threading.Event()
        self._open.set()

    def reply(self, *replies: Reply) -> None:
        """Response the next requests with these, one each, and those after them with 200."""
        self._replies.extend(replies)

    def forgive(self) -> None:
        """Response all further requests with 200."""
        self._replies.clear()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Response nobody until the block ends."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def came(self) -> list[Delivery]:
        """Everything so far, the oldest first."""
        with self._change:
            return list(self._came)

    def hears(self, look: Callable[[Sequence[Delivery]], Found], timeout_s: float) -> Found:
        """Call `look` with everything so far whenever something comes, until it gives something true or time is up;
        what it gave last."""
        deadline = time.monotonic() + timeout_s
        while True:
            came = self.came()
            left = deadline - time.monotonic()
            if (found := look(came)) or left <= 0:
                return found
            with self._change:
                if len(self._came) == len(came):
                    self._change.wait(left)

    def take(self, delivery: Delivery) -> Reply:
        """Keep this one, and say how to answer it."""
        with self._change:
            self._came.append(delivery)
            reply = self._replies.popleft() if self._replies else Reply()
            self._change.notify_all()
        if self.react is not None:
            self.react(delivery)
        self._open.wait(_HELD_S)
        return reply


class Receiver:
    """url: where the server under test reaches it. Paths that are no inbox answer 410."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._inboxes: dict[str, Inbox] = {}

    def inbox(self) -> Inbox:
        """A new path, and what comes to it."""
        path = f"/{fresh()}"
        self._inboxes[path] = Inbox(self.url + path)
        return self._inboxes[path]

    def take(self, path: str, delivery: Delivery) -> Reply:
        inbox = self._inboxes.get(path.partition("?")[0])
        return inbox.take(delivery) if inbox else Reply(410)


Kind = TypeVar("Kind", bound=Receiver)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    receiver: Receiver

    def handle_error(self, request: object, client_address: object) -> None:
        """Senders may break off as they like."""


class _Listener6(_Listener):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    server: _Listener

    def _take(self) -> None:
        delivery = Delivery(self.command, httpx.Headers(self.headers.items()), self._body(), time.monotonic())
        reply = self.server.receiver.take(self.path, delivery)
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

    do_POST = do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _take

    def log_message(self, *_: object) -> None:
        """Nothing: the tests look at what came."""


@contextmanager
def receiver_at(host: str, kind: type[Kind] = Receiver) -> Iterator[Kind]:
    """Listen on a free port until the block ends. host: name or address under which the server finds this machine.

    A loopback address is listened on alone, any other means all interfaces.
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
