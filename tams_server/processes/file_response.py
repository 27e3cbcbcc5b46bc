"""Responses whose bytes the kernel copies from a file to the socket (sendfile)."""

import errno
import os
from typing import Final

import anyio.to_thread

from tams_server.processes.direct_socket import DirectSocket

_THREADS: Final = anyio.CapacityLimiter(16)
_SLICE_BYTES: Final = 16 * 1024 * 1024
"""Sent by a thread before another response has its turn."""


async def send_file(direct: DirectSocket, file: int, offset: int, count: int) -> int:
    """Send `count` bytes of the open file `file` from `offset` on. Return how many were sent.

    They are fewer than `count` if the client has disconnected.
    Threads do it, as the bytes may still be on the disk. While a slow client has no room for more, none is occupied.
    Raises OSError if the file cannot be read or is too short.
    """
    part = _FilePart(direct, file, offset, offset + count)
    try:
        while part.offset < part.end:
            await anyio.to_thread.run_sync(part.send_some, limiter=_THREADS)
            if part.offset < part.end:
                await direct.writable()
    except ConnectionError:
        pass
    return part.offset - offset


class _FilePart:
    """The bytes of a file from `offset` to `end`, which are still to be sent."""

    def __init__(self, direct: DirectSocket, file: int, offset: int, end: int) -> None:
        self.offset = offset
        self.end = end
        self._direct = direct
        self._file = file

    def send_some(self) -> None:
        """Send a slice, as far as the client has room soon. Raises OSError, of which ConnectionError is one."""
        end = min(self.end, self.offset + _SLICE_BYTES)
        while self.offset < end:
            try:
                sent = os.sendfile(self._direct.socket.fileno(), self._file, self.offset, end - self.offset)
            except BlockingIOError:
                if self._direct.soon_writable():
                    continue
                break
            if sent == 0:
                raise OSError(errno.EIO, "the file was truncated while it was being sent")
            self.offset += sent
