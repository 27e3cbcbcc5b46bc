"""The threads in which media are read and written: not those of the API, so that slow disks do not hold it up."""

from collections.abc import Callable
from typing import Final, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")

_THREADS: Final = 32


class MediaThreads:
    """Runs functions of all uploads and downloads of a process, a limited number at a time."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(_THREADS)

    async def __call__(self, function: Callable[[], T], /) -> T:
        """Run a function, with the context variables of the caller."""
        return await anyio.to_thread.run_sync(function, limiter=self._limiter)
