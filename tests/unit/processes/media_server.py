"""A server of the media plane over real sockets, in this process, and a client that sends exactly what it is told."""

import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

from storage.media.filesystem import FileStore
from tams_server.processes.connection import Connection
from tests.unit.media.plane.media_requests import BASE, open_store, plane


class MediaServer:
    """A running server. store: its objects."""

    def __init__(self, store: FileStore, port: int) -> None:
        self.store = store
        self._port = port

    @contextmanager
    def connect(self, *, receive_buffer: int | None = None) -> "Iterator[RawClient]":
        with closing(socket.socket()) as connection:
            if receive_buffer is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            connection.settimeout(20)
            connection.connect(("127.0.0.1", self._port))
            yield RawClient(connection)


class RawClient:
    """One connection to the server."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._unread = b""

    def send(self, method: str, url: str, body: bytes = b"", **headers: Any) -> None:
        """Send a request, with as much of its body as is given."""
        lines = [f"{method} {url.removeprefix(BASE)} HTTP/1.1", "Host: media.example"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def head(self) -> tuple[int, dict[str, str]]:
        """Read the head of a response. Return its status and headers, by lower-case name."""
        while b"\r\n\r\n" not in self._unread:
            self._unread += self._receive()
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        return int(status.split()[1]), {name.lower(): value for name, _, value in pairs}

    def response(self) -> tuple[int, dict[str, str], bytes]:
        """Read a whole response with Content-Length."""
        status, headers = self.head()
        length = int(headers["content-length"])
        while len(self._unread) < length:
            self._unread += self._receive()
        body, self._unread = self._unread[:length], self._unread[length:]
        return status, headers, body

    def reset_when_closed(self) -> None:
        """Make closing the connection reset it, so that the server learns of it at once."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def rest(self) -> bytes:
        """Read until the server closes the connection."""
        while received := self.socket.recv(1 << 20):
            self._unread += received
        return self._unread

    def _receive(self) -> bytes:
        received = self.socket.recv(1 << 20)
        if not received:
            raise EOFError(f"the server closed the connection after {self._unread[:200]!r}")
        return received


@contextmanager
def media_server(root: Path, **options: Any) -> Iterator[MediaServer]:
    """Serve a store in the folder `root`. options: of media_plane."""
    store = open_store(root)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        plane(store, **options), http=Connection, loop="uvloop", lifespan="off", log_config=None, ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield MediaServer(store, listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def open_sockets() -> int:
    """Return how many descriptors of this process are sockets."""
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since the folder was read
            found += os.readlink(link).startswith("socket:")
    return found
