"""The socket of a connection, read and written by threads, without the copies that the event loop would make.

The event loop must not read from, or write to, the connection meanwhile.
"""

import asyncio
import os
import select
import socket
from collections.abc import Callable
from typing import Final

_POLL_MS: Final = 2
"""How long a thread waits for the client before it leaves waiting to the event loop."""


class DirectSocket:
    """A duplicate of a connection's socket, which does not block. Closing it leaves the connection open."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.socket = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None
        self._wakes_at = 1
        self._lost = False

    async def readable(self, count: int, timeout_s: float) -> None:
        """Wait for `count` bytes, the end of the stream, or an error. Raises TimeoutError, and ConnectionError."""
        self._wake_at(count)
        async with asyncio.timeout(timeout_s):
            await self._wait(self._loop.add_reader, self._loop.remove_reader)

    async def writable(self) -> None:
        """Wait until bytes can be written, or for an error. Raises ConnectionError."""
        await self._wait(self._loop.add_writer, self._loop.remove_writer)

    def connection_lost(self) -> None:
        """End the present wait, and later ones, with ConnectionError."""
        self._lost = True
        self._end_wait()

    def soon_readable(self) -> bool:
        """Wait a moment for bytes. For threads."""
        return self._poll(select.POLLIN)

    def soon_writable(self) -> bool:
        """Wait a moment until bytes can be written. For threads."""
        return self._poll(select.POLLOUT)

    def close(self) -> None:
        self._wake_at(1)
        self.socket.close()

    def _wake_at(self, count: int) -> None:
        if count != self._wakes_at:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
            self._wakes_at = count

    async def _wait(self, add: Callable[..., object], remove: Callable[[int], object]) -> None:
        self._waiter = self._loop.create_future()
        add(self.socket.fileno(), self._end_wait)
        try:
            if not self._lost:
                await self._waiter
        finally:
            remove(self.socket.fileno())
            self._waiter = None
        if self._lost:
            raise ConnectionAbortedError

    def _end_wait(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _poll(self, event: int) -> bool:
        poll = select.poll()
        poll.register(self.socket, event)
        return bool(poll.poll(_POLL_MS))
