"""Concurrent requests, as from several clients."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

Result = TypeVar("Result")


def run_concurrently(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Start all calls at the same moment, each in its own thread, and return their results in order."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Result]) -> Result:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
