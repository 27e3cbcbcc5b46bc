"""The background worker. Any number of workers can share a catalogue.

Short work is one transaction at a time: dispatching new events, and removing what has expired. Longer work is a job,
claimed under a lease (tams_server.processes.job_runner). A poll that finds no work only reads.
"""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar

from storage.catalog import Catalog
from storage.catalog.clock_guard import ClockGuard
from storage.catalog.service import Identity
from tams_server.metrics.build_info_collector import BuildInfoCollector
from tams_server.metrics.counters import Metrics
from tams_server.metrics.port import Address, metrics_port
from tams_server.outbound.sender import Sender
from tams_server.processes.allocator import return_freed_memory
from tams_server.processes.failures import log_failure
from tams_server.processes.job_runner import MAX_DELIVERIES, MAX_OTHER_JOBS, JobRunner
from tams_server.processes.pacing import pause_after_step_s
from tams_server.processes.retention_sweeper import RetentionSweeper
from tams_server.processes.webhook_courier import WebhookCourier
from tams_server.processes.worker_threads import WorkerThreads
from tams_server.settings import Settings
from tams_server.specification.load import Specification
from tams_server.tracing.tracing import Tracing, read_tracing
from tams_server.version import software_version
from tams_server.wiring import address_rules, open_parts

T = TypeVar("T")

_STOP_TIMEOUT_S = 2.0
"""How long deliveries may take to end when the worker stops."""
_POLLS_BETWEEN_REMOVALS = 10
"""Expired resources are looked for only at every eleventh poll, or at the next one as long as there are more: nobody
waits for their removal, and without an index the query reads all objects."""
_UPLOAD_REMOVAL_INTERVAL_S = 600.0
_MAX_JOBS_PER_POLL = 1000


def run_worker(
    settings: Settings,
    specification: Specification,
    *,
    identity: Identity | None = None,
    metrics: Metrics | None = None,
    metrics_at: Address | None = None,
) -> None:
    """Run a worker until SIGTERM, SIGINT or SIGQUIT. The data must have been prepared (tams_server.wiring.prepare).

    identity: of the installation, if it is already known. metrics: the counters to use. metrics_at: where to serve
    them, if at all.
    Raises: OSError if the port cannot be opened; what tams_server.wiring.open_parts raises.
    """
    return_freed_memory()
    asyncio.run(_run(settings, specification, identity, metrics or Metrics(), metrics_at))


async def _run(
    settings: Settings,
    specification: Specification,
    identity: Identity | None,
    metrics: Metrics,
    metrics_at: Address | None,
) -> None:
    tracing = read_tracing(settings)
    parts = open_parts(settings, identity, tracing=tracing)
    try:
        courier = WebhookCourier(
            parts.catalog.deliveries,
            parts.catalog.jobs,
            Sender(address_rules(settings), connections=MAX_DELIVERIES),
            specification.webhooks,
            timeout_s=settings.webhook_timeout,
            max_bytes=settings.webhook_max_bytes,
            fail_on_invalid_event=settings.fail_on_bad_answer,
            metrics=metrics,
        )
        worker = Worker(
            parts.catalog,
            courier,
            interval_s=settings.worker_interval,
            retention_interval_s=settings.retention_interval if settings.retention else None,
            metrics=metrics,
            tracing=tracing,
            clock_guard=parts.catalog.clock_guard(settings.unregistered_object_lifetime),
        )
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            asyncio.get_running_loop().add_signal_handler(number, worker.stop)
        build_info = BuildInfoCollector(software_version(), specification.api_version)
        with metrics_port(metrics_at, metrics, parts.catalog.job_control.backlog, build_info):
            await worker.run()
    finally:
        parts.close()
        if tracing is not None:
            tracing.stop()


class Worker:
    """Polls for work and does it.

    interval_s: seconds between two polls while there is none. retention_interval_s: between two passes over the flows
    with retention tags; None for no passes. clock_guard: when to delete what has expired; None for always.
    """

    def __init__(
        self,
        catalog: Catalog,
        courier: WebhookCourier,
        *,
        interval_s: float = 1.0,
        retention_interval_s: float | None = None,
        metrics: Metrics | None = None,
        tracing: Tracing | None = None,
        clock_guard: ClockGuard | None = None,
    ) -> None:
        self._deletion_time = catalog.clock if clock_guard is None else clock_guard.time_for_deletions
        self._catalog = catalog
        self._courier = courier
        self._interval_s = interval_s
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._wake = asyncio.Event()
        self._threads = WorkerThreads(MAX_OTHER_JOBS)
        self._sweeper = None
        if retention_interval_s is not None:
            self._sweeper = RetentionSweeper(
                catalog.retention, self._threads, retention_interval_s, self._deletion_time
            )
        self._runner = JobRunner(
            catalog, courier, self._threads, metrics or Metrics(), on_end=self._wake.set, tracing=tracing
        )
        self._uploads_removed_at = time.monotonic()
        self._polls_until_removal = 0
        self._stopping = False

    def stop(self) -> None:
        """Claim no more jobs, and release those held after their current step. Call it in the event loop."""
        self._stopping = True
        self._runner.stop()
        self._wake.set()

    async def run(self) -> None:
        """Work until `stop`. Failures are logged, and the work is retried, since it stays recorded in the catalogue."""
        beside = [asyncio.create_task(self._runner.renew_leases())]
        if self._sweeper is not None:
            beside.append(asyncio.create_task(self._sweeper.run()))
        try:
            while not self._stopping:
                self._wake.clear()
                started = time.monotonic()
                worked = await self._poll()
                if not self._stopping:
                    await self._wait(pause_after_step_s(started) if worked else self._interval_s)
            await self._runner.wait_until_ended(_STOP_TIMEOUT_S)
        finally:
            for task in beside:
                task.cancel()
            await self._courier.aclose()
            self._threads.close()

    async def _wait(self, timeout_s: float) -> None:
        """Wait until a job ends or the worker is stopped, but no longer than `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _poll(self) -> bool:
        """Do the short work that is due and start jobs, as far as there is room. Returns whether there was work."""
        try:
            return await self._do_pending_work()
        except Exception as error:
            log_failure("background work", error)
            return False

    async def _do_pending_work(self) -> bool:
        events_pending, waiting = await self._threads.call(self._catalog.pending_work, _MAX_JOBS_PER_POLL)
        worked = False
        if events_pending:
            worked = bool(await self._attempt(self._catalog.deliveries.dispatch))
            _, waiting = await self._threads.call(self._catalog.pending_work, _MAX_JOBS_PER_POLL)
        worked |= await self._remove_expired()
        if time.monotonic() - self._uploads_removed_at > _UPLOAD_REMOVAL_INTERVAL_S:
            self._uploads_removed_at = time.monotonic()
            await self._attempt(self._catalog.remove_abandoned_uploads)
        if not waiting:
            return worked
        claims = await self._threads.call(self._catalog.claim_jobs, self._name, waiting, self._runner.room())
        self._runner.start(claims)
        return worked or bool(claims)

    async def _remove_expired(self) -> bool:
        """Remove a batch of expired resources, if it is time to. Returns whether there were any."""
        if self._polls_until_removal:
            self._polls_until_removal -= 1
            return False
        now = await self._attempt(self._deletion_time)
        if now is not None:
            removed = bool(await self._attempt(self._catalog.remove_expired, now))
        else:
            removed = bool(await self._attempt(self._catalog.jobs.undo_clock_steps))
        self._polls_until_removal = 0 if removed else _POLLS_BETWEEN_REMOVALS
        return removed

    async def _attempt(self, function: Callable[..., T], *args: Any) -> T | None:
        """Make a short call. If it fails, log that and return None."""
        try:
            return await self._threads.call(function, *args)
        except Exception as error:
            log_failure("background work", error)
            return None
