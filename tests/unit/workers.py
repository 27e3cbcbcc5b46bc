"""A background worker for the catalogue of a test, in a thread with an event loop of its own."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from storage.catalog import Catalog
from tams_server.outbound.address_rules import AddressRules
from tams_server.outbound.sender import Sender
from tams_server.processes.webhook_courier import WebhookCourier
from tams_server.processes.worker import Worker
from tams_server.specification.validators import Validator

LOCAL = AddressRules(["127.0.0.0/8"])
_TIMEOUT_S = 30


class RunningWorker:
    """Works from entry into the context until `stop` or exit. bodies: as in WebhookCourier. timeout_s: per delivery."""

    def __init__(
        self, catalog: Catalog, bodies: Mapping[str, Validator], *, interval_s: float = 0.02, timeout_s: float = 5.0
    ) -> None:
        self._catalog = catalog
        self._bodies = bodies
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="a worker")
        self._loop: asyncio.AbstractEventLoop
        self._worker: Worker

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(_TIMEOUT_S)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the worker, and wait until it has stopped."""
        if self._thread.is_alive():
            self.request_stop()
        self._thread.join(_TIMEOUT_S)
        assert not self._thread.is_alive(), "the worker does not stop"

    def request_stop(self) -> None:
        """Ask the worker to stop, without waiting."""
        self._loop.call_soon_threadsafe(self._worker.stop)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        courier = WebhookCourier(
            self._catalog.deliveries,
            self._catalog.jobs,
            Sender(LOCAL),
            self._bodies,
            timeout_s=self._timeout_s,
            fail_on_invalid_event=True,
        )
        self._worker = Worker(self._catalog, courier, interval_s=self._interval_s)
        self._started.set()
        await self._worker.run()


@contextmanager
def working(catalog: Catalog, bodies: Mapping[str, Validator], count: int = 1) -> Iterator[list[RunningWorker]]:
    """Run `count` workers side by side until the block ends."""
    workers = [RunningWorker(catalog, bodies) for _ in range(count)]
    try:
        yield [worker.__enter__() for worker in workers]
    finally:
        for worker in workers:
            worker.stop()
