"""The number of connections of a process, and the rate at which clients take responses."""

import asyncio
import fcntl
import os
import resource
import socket
import struct
import sys
import termios
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final, Protocol

from tams_server import error_codes
from tams_server.errors import HttpError, TooManyConnections, TooManyRequests

_RETRY_AFTER: Final = {"Retry-After": "5"}
_BYTES_ACKED: Final = 120
"""The offset of tcpi_bytes_acked in struct tcp_info of Linux, a number of 8 bytes."""
_DESCRIPTORS: Final = 3
"""Of a connection: its socket, and while an object is sent, a duplicate of it and the file."""
_MAX_DESCRIPTORS: Final = 65_536


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """max_connections, max_per_address: of a process; None for no limit. min_rate: bytes per second that a client must
    take of a response, on average over `window_s` seconds; 0 for no limit."""

    max_connections: int | None = None
    max_per_address: int | None = None
    min_rate: float = 0
    window_s: float = 60.0


class GuardedConnection(Protocol):
    """A connection, as the guard sees it."""

    @property
    def transport(self) -> asyncio.Transport: ...
    @property
    def client(self) -> tuple[str, int] | None: ...


@dataclass(slots=True)
class _Sending:
    """since: when the present window began, by `time.monotonic`. acknowledged: bytes that the client had by then."""

    since: float
    acknowledged: int


class ConnectionGuard:
    """Counts the connections of a process, and aborts those whose clients do not take what is sent.

    Responses are measured by what the client's system has acknowledged, so that it does not matter who sends them.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._connections: dict[GuardedConnection, _Sending | None] = {}
        self._addresses: Counter[str] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, connection: GuardedConnection, loop: asyncio.AbstractEventLoop) -> HttpError | None:
        """Count a new connection. Return the error with which to reject it, if there are too many."""
        address = _address(connection)
        self._connections[connection] = None
        self._addresses[address] += 1
        if self._loop is not loop and self._limits.min_rate > 0 and sys.platform == "linux":
            self._loop = loop
            self._sweep_later(loop)
        limits = self._limits
        if limits.max_connections is not None and len(self._connections) > limits.max_connections:
            return TooManyConnections("this server has too many open connections", headers=dict(_RETRY_AFTER))
        if limits.max_per_address is not None and self._addresses[address] > limits.max_per_address:
            return TooManyRequests(
                "too many connections from this address",
                code=error_codes.TOO_MANY_OF_ADDRESS,
                headers=dict(_RETRY_AFTER),
            )
        return None

    def remove(self, connection: GuardedConnection) -> None:
        if connection in self._connections:
            del self._connections[connection]
            address = _address(connection)
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    @property
    def is_flooded(self) -> bool:
        """Whether so many connections are open that the newest is best closed without a response."""
        most = self._limits.max_connections
        return most is not None and len(self._connections) > most + max(10, most // 10)

    def sweep(self, now: float) -> None:
        """Abort the connections whose clients have taken too little."""
        for connection, sending in list(self._connections.items()):
            acknowledged = _acknowledged_while_sending(connection.transport)
            if acknowledged is None:
                self._connections[connection] = None
            elif sending is None:
                self._connections[connection] = _Sending(now, acknowledged)
            elif now - sending.since >= self._limits.window_s:
                if acknowledged - sending.acknowledged < self._limits.min_rate * (now - sending.since):
                    connection.transport.abort()
                self._connections[connection] = _Sending(now, acknowledged)

    def _sweep_later(self, loop: asyncio.AbstractEventLoop) -> None:
        def sweep() -> None:
            self.sweep(time.monotonic())
            self._sweep_later(loop)

        loop.call_later(self._limits.window_s / 4, sweep)


def max_connections(wanted: int) -> int:
    """Return how many connections a process can have, after permitting it as many files as the system lets it have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    permitted = _MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < permitted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (permitted, hard))
        soft = permitted
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, soft // _DESCRIPTORS)


def _address(connection: GuardedConnection) -> str:
    return connection.client[0] if connection.client else ""


def _acknowledged_while_sending(transport: asyncio.Transport) -> int | None:
    """Return how many bytes the client has acknowledged since it connected; None unless bytes are on their way."""
    try:
        descriptor = transport.get_extra_info("socket").fileno()
        queued = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))[0]
        if not queued and not transport.get_write_buffer_size():
            return None
        with socket.socket(fileno=os.dup(descriptor)) as duplicate:
            info = duplicate.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED + 8)
        return int(struct.unpack_from("Q", info, _BYTES_ACKED)[0])
    except (AttributeError, OSError, struct.error):
        return None  # it has just been closed, or is no TCP connection
