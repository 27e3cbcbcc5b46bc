"""Passes of a worker over the flows that have retention tags: one at every interval, and at once while more is due."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Final

from storage.catalog.retention.retention import Retention
from tams_server.processes.failures import log_failure
from tams_server.processes.pacing import pause_after_step_s
from tams_server.processes.worker_threads import WorkerThreads

_log = logging.getLogger(__name__)

_PAUSE_AFTER_FAILURE_S: Final = 5.0


class RetentionSweeper:
    """interval_s: seconds from the end of a pass after which nothing more is due to the beginning of the next.

    time: returns the time by which things are due, in microseconds since 1970; None while nothing may be deleted.
    """

    def __init__(
        self, retention: Retention, threads: WorkerThreads, interval_s: float, time: Callable[[], int | None]
    ) -> None:
        self._retention = retention
        self._threads = threads
        self._interval_s = interval_s
        self._time = time

    async def run(self) -> None:
        """Make passes until cancelled. Failures are logged; whatever was not deleted is found again."""
        while True:
            try:
                is_behind = await self.make_pass()
            except Exception as error:
                log_failure("retention", error)
                await asyncio.sleep(max(self._interval_s, _PAUSE_AFTER_FAILURE_S))
                continue
            if not is_behind:
                await asyncio.sleep(self._interval_s)

    async def make_pass(self) -> bool:
        """Look at every flow with a retention tag once. Returns whether more is due."""
        steps = self._retention.one_pass(self._time)
        segments = flows = 0
        is_behind = False
        started = monotonic()
        while (step := await self._threads.call(next, steps, None)) is not None:
            is_behind |= step.is_behind
            segments, flows = segments + step.segments, flows + step.flows
            await asyncio.sleep(pause_after_step_s(started))
            started = monotonic()
        if segments or flows:
            _log.info("retention deleted %d segments and %d flows", segments, flows)
        return is_behind
