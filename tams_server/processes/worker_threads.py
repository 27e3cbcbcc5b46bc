"""The threads in which a worker's blocking calls run, while its event loop stays free."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

_SHORT_CALLS = 8


class WorkerThreads:
    """Separate pools, so that long jobs never delay short calls, and neither delays the renewal of leases.

    Calls have the context variables of those who await them, such as the span of the job that they are part of.
    """

    def __init__(self, max_jobs: int) -> None:
        self._short = ThreadPoolExecutor(_SHORT_CALLS, thread_name_prefix="worker")
        self._jobs = ThreadPoolExecutor(max_jobs, thread_name_prefix="job")
        self._heartbeat = ThreadPoolExecutor(1, thread_name_prefix="lease")

    async def call(self, function: Callable[..., T], *args: Any) -> T:
        """Run a short call, of one or a few transactions."""
        return await asyncio.get_running_loop().run_in_executor(
            self._short, contextvars.copy_context().run, function, *args
        )

    async def run_job(self, function: Callable[..., T], *args: Any) -> T:
        """Run a job, which may take long."""
        return await asyncio.get_running_loop().run_in_executor(
            self._jobs, contextvars.copy_context().run, function, *args
        )

    async def heartbeat(self, function: Callable[..., T], *args: Any) -> T:
        """Renew leases."""
        return await asyncio.get_running_loop().run_in_executor(self._heartbeat, function, *args)

    def close(self) -> None:
        """Wait for all calls to return, and end the threads."""
        for pool in (self._short, self._jobs, self._heartbeat):
            pool.shutdown()
