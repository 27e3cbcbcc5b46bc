"""Pass after pass, until told to stop: by polling, or as soon as an event of FROM arrives."""

import asyncio
import random
from collections.abc import Coroutine

from tams_server.client import ClientError
from tams_server.client.retry import is_temporary, retry_after
from tams_server.replication.problems import Problem
from tams_server.replication.replicator import Replicator
from tams_server.replication.report import Report
from tams_server.replication.segment_copier import GivenUp

_LONGEST_PAUSE_S = 60.0


async def follow(
    replicator: Replicator, report: Report, stop: asyncio.Event, wake: asyncio.Event, interval_s: float
) -> None:
    """Run passes until `stop` is set, which also ends a pass under way. wake: set by the listener at a change.

    An outage of either server is reported, and passes. Raises ClientError for what does not, such as a credential that
    is not accepted.
    """
    failed = 0
    while not stop.is_set():
        pause = interval_s
        wake.clear()
        try:
            await _until(stop, replicator.run_pass())
            failed = 0
        except ClientError as error:
            if not (is_temporary(error) or isinstance(error, GivenUp)):
                raise
            report.tell(Problem(str(error)), "this pass")
            pause = min(_LONGEST_PAUSE_S, interval_s * 2.0**failed) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
            pause = max(pause, retry_after(error))
            failed += 1
        if not stop.is_set():
            await _first_of(stop, wake, pause)
    await replicator.rest()


async def _until(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Do the work, and cancel it when `stop` is set."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
    finally:
        for each in (task, stopped):
            each.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


async def _first_of(stop: asyncio.Event, wake: asyncio.Event, seconds: float) -> None:
    waiting = [asyncio.ensure_future(each.wait()) for each in (stop, wake)]
    await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
