"""Large bodies, moved between the socket and files by threads: ASGI extensions that a connection offers.

`http.response.zerocopysend`, of the ASGI specification: the kernel copies the bytes of a file to the socket. Afterwards
the `count` of the message is the number of bytes that were sent: fewer if the client has disconnected.
`tams_server.direct_body`: an application reads the body of a request from the socket (tams_server.media.bodies).
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from tams_server.errors import ClientDisconnected
from tams_server.processes.client_connection import ClientConnection
from tams_server.processes.direct_socket import DirectSocket
from tams_server.processes.file_response import send_file

_FILE: Final = "http.response.zerocopysend"
_BODY: Final = "tams_server.direct_body"
_WAKE_BYTES: Final = 256 * 1024
"""Bytes of a body that are waited for at a time, so that slow clients cause few wake-ups."""


def offer_direct_transfer(connection: ClientConnection, cycle: RequestResponseCycle) -> None:
    """Offer the extensions to the application of this request. The connection must not be encrypted."""
    extensions: dict[str, dict[str, Any]] = {_FILE: {}}
    length = next((value for name, value in connection.headers if name == b"content-length"), None)
    if length is not None:
        extensions[_BODY] = {"body": DirectBody(connection, cycle, int(length))}
    cycle.scope["extensions"] = extensions  # type: ignore[typeddict-item]
    cycle.send = _with_files(connection, cycle, cycle.send)  # type: ignore[method-assign,assignment]


def _with_files(
    connection: ClientConnection, cycle: RequestResponseCycle, send: Callable[[Any], Awaitable[None]]
) -> Callable[[Any], Awaitable[None]]:
    async def send_message(message: Any) -> None:
        if message["type"] != _FILE:
            await send(message)
            return
        count = message["count"]
        if not _is_lost(connection, cycle) and count > cycle.expected_content_length:
            raise RuntimeError("a file can only be sent as a part of the Content-Length of the response")
        await _flush(connection, cycle)
        message["count"] = 0
        if not _is_lost(connection, cycle):
            with closing(connection.lend_socket()) as direct:
                message["count"] = await send_file(direct, message["file"].fileno(), message["offset"], count)
        if message["count"] < count:
            _give_up(connection, cycle)
        cycle.expected_content_length -= count
        await send({"type": "http.response.body", "body": b"", "more_body": message.get("more_body", False)})

    return send_message


class DirectBody:
    """The body of a request, for threads to read from the socket.

    remaining: the number of bytes that must still be read.
    """

    def __init__(self, connection: ClientConnection, cycle: RequestResponseCycle, length: int) -> None:
        self.remaining = length
        self._connection = connection
        self._cycle = cycle
        self._direct: DirectSocket | None = None
        self._begun = False
        self._lost = False

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for `start` before it sends the body."""
        return self._cycle.waiting_for_100_continue

    def start(self) -> memoryview:
        """Keep the event loop from reading, and return what it has read already. `stop` must follow.

        Raises ClientDisconnected.
        """
        if self._cycle.more_body and _is_lost(self._connection, self._cycle):
            _give_up(self._connection, self._cycle)
            raise ClientDisconnected
        received = _take_body(self._connection, self._cycle)
        if self._cycle.more_body:
            self.remaining -= self._connection.body_bytes
            self._direct = self._connection.lend_socket()
        else:
            self.remaining = 0
        return received

    def read_into(self, view: memoryview) -> int:
        """Read into `view`, in a thread. Return the number of bytes; 0 if none are expected soon.

        Raises ClientDisconnected.
        """
        assert self._direct is not None
        while True:
            try:
                count = self._direct.socket.recv_into(view, min(len(view), self.remaining))
            except BlockingIOError:
                if self._direct.soon_readable():
                    continue
                return 0
            except OSError:
                count = 0
            if not count:
                self._lost = True
                raise ClientDisconnected
            self._begun = True
            self.remaining -= count
            return count

    async def readable(self, timeout_s: float) -> None:
        """Wait for more of the body. Raises TimeoutError and ClientDisconnected."""
        assert self._direct is not None
        try:
            await self._direct.readable(min(self.remaining, _WAKE_BYTES), timeout_s)
        except ConnectionError:
            self._lost = True
            raise ClientDisconnected from None

    def stop(self) -> None:
        """Let the event loop read again: the next request, or the body if none of it has been read here.

        If the body has been read in part, the connection closes after the response.
        """
        if self._direct is None:
            return
        self._direct.close()
        if self._lost:
            _give_up(self._connection, self._cycle)
        elif not self.remaining:
            self._connection.end_body(self._cycle)
        elif self._begun:
            self._cycle.keep_alive = False


async def _flush(connection: ClientConnection, cycle: RequestResponseCycle) -> None:
    """Wait until everything that has been written is in the hands of the kernel, or the client has disconnected."""
    transport = connection.transport
    while not _is_lost(connection, cycle) and transport.get_write_buffer_size():
        transport.set_write_buffer_limits(0)
        await connection.flow.drain()
        await asyncio.sleep(0)
    if not _is_lost(connection, cycle):
        transport.set_write_buffer_limits()


def _take_body(connection: ClientConnection, cycle: RequestResponseCycle) -> memoryview:
    """Stop reading, and return what has been read of a body, for which the client may be waiting."""
    connection.flow.pause_reading()
    if cycle.waiting_for_100_continue:
        cycle.waiting_for_100_continue = False
        connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    received, cycle.body = cycle.body, bytearray()
    return memoryview(received)


def _is_lost(connection: ClientConnection, cycle: RequestResponseCycle) -> bool:
    """Return whether the connection is closed or closing. A transport that is closed has no socket any more."""
    return cycle.disconnected or connection.transport.is_closing()


def _give_up(connection: ClientConnection, cycle: RequestResponseCycle) -> None:
    """Close the connection, as the client has disconnected."""
    cycle.disconnected = True
    connection.transport.abort()
