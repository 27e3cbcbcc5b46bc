"""Runs the jobs that a worker has claimed, and renews their leases meanwhile.

Deliveries to webhooks are tasks of the event loop; all other jobs run step by step in threads.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from storage.catalog import Catalog
from storage.catalog.job_kinds import COPY, DELIVERY, FLOW_DELETION, REMOVAL, SEGMENT_EVENTS
from storage.catalog.job_room import Room
from storage.catalog.jobs import Claim, LeaseLost
from storage.errors import Conflict, Contended, Invalid, NotFound
from tams_server.metrics.counters import Metrics
from tams_server.processes.failures import log_failure
from tams_server.processes.pacing import pause_after_step_s
from tams_server.processes.webhook_courier import WebhookCourier
from tams_server.processes.worker_threads import WorkerThreads
from tams_server.tracing.tracing import Tracing, job_span

_log = logging.getLogger(__name__)

MAX_OTHER_JOBS = 4
"""Jobs that run at once, besides deliveries."""
MAX_DELIVERIES = 400
"""Webhooks that are sent events at once."""
_MAX_RECENT_DELIVERIES = 100
"""How many of these may have begun less than `_RECENT_S` ago without having failed before. Slow webhooks stop counting
as recent and so make room for others, up to MAX_DELIVERIES."""
_RECENT_S = 1.0
_MAX_FAILING_DELIVERIES = 100
"""Webhooks that are sent events at once although their last delivery failed."""
_HEARTBEATS_PER_LEASE = 4
"""More than one, so that a single failed heartbeat does not lose a lease."""


class JobRunner:
    """The jobs held by one worker. on_end: called in the event loop whenever a job ends."""

    def __init__(
        self,
        catalog: Catalog,
        courier: WebhookCourier,
        threads: WorkerThreads,
        metrics: Metrics,
        on_end: Callable[[], None],
        tracing: Tracing | None = None,
    ) -> None:
        self._catalog = catalog
        self._courier = courier
        self._threads = threads
        self._metrics = metrics
        self._tracing = tracing
        self._on_end = on_end
        self._held: dict[str, tuple[Claim, float]] = {}
        """Claims by token, each with the monotonic time at which its job started here."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    def room(self) -> Room:
        """Return how many more jobs can be started."""
        deliveries = [(claim, started) for claim, started in self._held.values() if claim.kind == DELIVERY]
        failing = sum(claim.attempts > 0 for claim, _ in deliveries)
        recently = time.monotonic() - _RECENT_S
        recent = sum(claim.attempts == 0 and started > recently for claim, started in deliveries)
        return Room(
            deliveries=min(_MAX_RECENT_DELIVERIES - recent, MAX_DELIVERIES - len(deliveries)),
            failing_deliveries=_MAX_FAILING_DELIVERIES - failing,
            others=MAX_OTHER_JOBS - (len(self._held) - len(deliveries)),
            held=frozenset(self._held),
        )

    def start(self, claims: Sequence[Claim]) -> None:
        """Start claimed jobs. Call it in the event loop."""
        for claim in claims:
            self._held[claim.token] = claim, time.monotonic()
            task = asyncio.create_task(self._run(claim))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Make every job end after its current step and release its claim."""
        self._stopping = True

    async def wait_until_ended(self, timeout_s: float) -> None:
        """Wait for the jobs to end after `stop`. Deliveries that take longer are cancelled and released."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def renew_leases(self) -> None:
        """Renew the leases of all jobs regularly, until cancelled."""
        while True:
            await asyncio.sleep(self._catalog.jobs.lease_s / _HEARTBEATS_PER_LEASE)
            if self._held:
                claims = [claim for claim, _ in self._held.values()]
                await self._attempt(self._threads.heartbeat(self._catalog.jobs.heartbeat, claims))

    async def _run(self, claim: Claim) -> None:
        try:
            with job_span(self._tracing, f"job {claim.kind}", {"tams.job": claim.kind, "tams.job_key": claim.key}):
                if claim.kind == DELIVERY:
                    await self._run_delivery(claim)
                else:
                    await self._handle_failure(claim, self._threads.run_job(self._run_steps, claim))
        finally:
            self._held.pop(claim.token, None)
            self._on_end()

    async def _run_delivery(self, claim: Claim) -> None:
        delivery = self._courier.deliver(claim, lambda: self._stopping, self._threads.call)
        try:
            await self._handle_failure(claim, delivery)
        except asyncio.CancelledError:
            await self._attempt(self._threads.call(self._catalog.jobs.release, claim))

    def _run_steps(self, claim: Claim) -> None:
        """Run a job step by step, with a pause after each."""
        step = {
            FLOW_DELETION: self._catalog.flow_delete_requests.delete_batch,
            REMOVAL: self._catalog.byte_removal.remove_batch,
            COPY: self._catalog.copies.make_copy,
            SEGMENT_EVENTS: self._catalog.segment_events.record_batch,
        }[claim.kind]
        while True:
            started = time.monotonic()
            if not step(claim):
                self._metrics.count_job_run(claim.kind, "done")
                return
            if self._stopping:
                self._catalog.jobs.release(claim)
                return
            time.sleep(pause_after_step_s(started))

    async def _handle_failure(self, claim: Claim, job: Coroutine[Any, Any, None]) -> None:
        """Await a job. If it fails, log that, and retry the job later or give it up; lost races are no failures."""
        name = f"job {claim.kind} {claim.key}"
        try:
            await job
        except LeaseLost as error:
            log_failure(name, error)
        except (Contended, Conflict):
            self._metrics.count_job_run(claim.kind, "postponed")
            await self._attempt(self._threads.call(self._catalog.jobs.postpone, claim))
        except Exception as error:
            reason = log_failure(name, error)
            if claim.kind == COPY and isinstance(error, (Invalid, NotFound)):
                self._metrics.count_job_run(claim.kind, "given_up")
                await self._attempt(self._threads.call(self._catalog.copies.abandon, claim))
            else:
                await self._attempt(self._threads.call(self._retry_or_give_up, claim, name, reason))

    def _retry_or_give_up(self, claim: Claim, name: str, reason: str) -> None:
        retried = self._catalog.jobs.fail(claim, reason)
        self._metrics.count_job_run(claim.kind, "failed" if retried else "given_up")
        if not retried:
            _log.error("%s failed permanently: %s", name, reason)
            if claim.kind == FLOW_DELETION:
                self._catalog.flow_delete_requests.mark_failed(claim.key, reason)

    async def _attempt(self, work: Coroutine[Any, Any, None]) -> None:
        """Await work whose failure is only logged: the expiry of the lease makes up for it."""
        try:
            await work
        except Exception as error:
            log_failure("background work", error)
