"""Run `tams-server` in this process, which is killed (SIGKILL) at a point of a replication: POINT NUMBER COMMAND ...

The NUMBERth time that the point is reached is the last. Points are those of `POINTS`.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx

from tams_server.cli.main import main
from tams_server.client import AsyncClient, Call
from tams_server.client.documents import Slot

POINTS = (
    "after POST storage",
    "in an upload",
    "after an upload",
    "before POST segments",
    "after POST segments",
)
_FIRST_BYTES = 100_000


class Killer:
    """Counts down to the point."""

    def __init__(self, point: str, number: int) -> None:
        self._point = point
        self._left = number

    def reach(self, point: str) -> None:
        """Kill this process if the point is the one, for the last time."""
        if point != self._point:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def install(killer: Killer) -> None:
    """Have all clients of this process reach the points, with one request at a time: no other is then under way."""
    request_once, upload, turn = AsyncClient._request_once, AsyncClient.upload, asyncio.Lock()

    async def killing_request(self: AsyncClient, call: Call[Any]) -> httpx.Response:
        place = call.path.rpartition("/")[2]
        async with turn:
            killer.reach(f"before {call.method} {place}")
            response = await request_once(self, call)
            killer.reach(f"after {call.method} {place}")
            return response

    async def killing_upload(
        self: AsyncClient, slot: Slot, content: AsyncIterator[bytes], size: int, headers: Mapping[str, str]
    ) -> httpx.Response:
        async def passing() -> AsyncIterator[bytes]:
            async for chunk in content:
                yield chunk[:_FIRST_BYTES]
                killer.reach("in an upload")
                yield chunk[_FIRST_BYTES:]

        async with turn:
            response = await upload(self, slot, passing(), size, headers)
            killer.reach("after an upload")
            return response

    AsyncClient._request_once = killing_request  # type: ignore[method-assign]
    AsyncClient.upload = killing_upload  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    install(Killer(sys.argv[1], int(sys.argv[2])))
    sys.exit(main(sys.argv[3:]))
