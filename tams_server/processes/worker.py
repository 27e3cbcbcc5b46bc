"""The background worker: does what nobody waits for, time and again, and any number of them share it.

Short work is a transaction each: new events are passed on, and what has expired is forgotten. Longer work are jobs,
held by a lease that this worker renews while it works on them: deliveries to webhooks as tasks of one event loop, all
others in threads. While there is nothing to do, a look for work only reads.
"""

import asyncio
import logging
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from storage.catalog import Catalog
from storage.catalog.jobs import COPY, DELIVERY, FLOW_DELETION, KINDS, REMOVAL, Claim, LostLease, Wanted
from storage.errors import Contended, Invalid, NotFound, Unavailable
from storage.tables.conditions import Compare, Condition, In, equals
from storage.tables.engine import Row
from tams_server.metrics.counters import Metrics
from tams_server.outbound.sender import Sender
from tams_server.pages.metrics_page import metrics_port
from tams_server.processes.webhook_courier import WebhookCourier
from tams_server.settings import Settings
from tams_server.specification.load import Specification
from tams_server.wiring import Identity, address_rules, open_parts

_log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

_JOBS_AT_ONCE = 4
_DELIVERIES_AT_ONCE = 400
_PROMPT_AT_ONCE = 100
"""Webhooks sent to at once that have had no time to show that they are slow. Those that have fallen silent move to the
other places within a second, and make room for those that work."""
_PROMPT_S = 1.0
_FAILING_AT_ONCE = 100
"""Webhooks sent to at once whose last delivery failed: they never take the places of those that work."""
_LAST_S = 2.0
"""How long deliveries may still take when this worker is to stop."""
_FORGET_EACH = 10
"""What has expired is looked for at every so many looks for work, and again as long as there is some: nobody waits for
it, and it takes a look at all objects where the catalogue has no index."""
_TIDY_S = 600.0
"""How often what uploads of dead processes left behind is looked for."""
_CLAIMED_AT_ONCE = 50
_SEEN_AT_ONCE = 1000
_DELIVERIES = equals(kind=DELIVERY, attempts=0)
_FAILING_DELIVERIES = (*equals(kind=DELIVERY), Compare("attempts", ">", 0))
_OTHERS = (In("kind", tuple(kind for kind in KINDS if kind != DELIVERY)),)
_REST = 3
"""Rest after each step of long work, in times of what the step took, so that requests have most of the machine."""
_LONGEST_REST_S = 0.2


def run_worker(
    settings: Settings,
    specification: Specification,
    *,
    identity: Identity | None = None,
    metrics: Metrics | None = None,
    port: int | None = None,
) -> None:
    """Work until told to stop by SIGTERM, SIGINT or SIGQUIT. Data must have been prepared (tams_server.wiring).

    identity: where it is known already. metrics: count here. port: serve what was counted there. Raises OSError where
    that port cannot be had.
    """
    asyncio.run(_run(settings, specification, identity, metrics or Metrics(), port))


async def _run(
    settings: Settings, specification: Specification, identity: Identity | None, metrics: Metrics, port: int | None
) -> None:
    parts = open_parts(settings, identity)
    try:
        courier = WebhookCourier(
            parts.catalog.deliveries,
            parts.catalog.jobs,
            Sender(address_rules(settings), connections=_DELIVERIES_AT_ONCE),
            specification.webhooks,
            timeout_s=settings.webhook_timeout,
            fail_on_invalid_event=settings.fail_on_bad_answer,
            metrics=metrics,
        )
        worker = Worker(parts.catalog, courier, interval_s=settings.worker_interval, metrics=metrics)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            asyncio.get_running_loop().add_signal_handler(number, worker.stop)
        with metrics_port(port, settings.host, metrics, parts.catalog.job_control.backlog):
            await worker.run()
    finally:
        parts.close()


class Worker:
    """interval_s: seconds between two looks for work when there was none."""

    def __init__(
        self, catalog: Catalog, courier: WebhookCourier, *, interval_s: float = 1.0, metrics: Metrics | None = None
    ) -> None:
        self._catalog = catalog
        self._courier = courier
        self._metrics = metrics or Metrics()
        self._interval_s = interval_s
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._held: dict[str, tuple[Claim, float]] = {}
        self._tidied = time.monotonic()
        self._looks_left = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._wake = asyncio.Event()
        self._quick = ThreadPoolExecutor(8, thread_name_prefix="worker")
        self._slow = ThreadPoolExecutor(_JOBS_AT_ONCE, thread_name_prefix="job")
        self._pulse = ThreadPoolExecutor(1, thread_name_prefix="lease")

    def stop(self) -> None:
        """Claim nothing more, and give back what is held after its present step. To be called in the event loop."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Work until `stop`. A failure is logged and the work tried again, since it stays recorded as to be done."""
        heart = asyncio.create_task(self._beat())
        try:
            while not self._stopping:
                self._wake.clear()
                started = time.monotonic()
                worked = await self._guarded(self._look())
                if not self._stopping:
                    await self._rest(_rest_s(started) if worked else self._interval_s)
            await self._end()
        finally:
            heart.cancel()
            await self._courier.aclose()
            for pool in (self._quick, self._slow, self._pulse):
                pool.shutdown()

    async def _end(self) -> None:
        """Let what is under way come to its next step; deliveries that take longer are broken off and given back."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_LAST_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _rest(self, longest_s: float) -> None:
        """Until a job ends, but no longer than this."""
        try:
            async with asyncio.timeout(longest_s):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _look(self) -> bool:
        """Do the short work, and start jobs as far as there is room for them. Whether there was any."""
        are_pending, jobs = await self._in_thread(self._catalog.look, _SEEN_AT_ONCE)
        worked = False
        if are_pending:
            worked = bool(await self._guarded(self._in_thread(self._catalog.deliveries.dispatch)))
            _, jobs = await self._in_thread(self._catalog.look, _SEEN_AT_ONCE)
        worked |= await self._forget_expired()
        if time.monotonic() - self._tidied > _TIDY_S:
            self._tidied = time.monotonic()
            await self._guarded(self._in_thread(self._catalog.tidy))
        chosen = _within(jobs, *self._room())
        claims = await self._in_thread(self._catalog.jobs.claim, self._name, _like(chosen)) if chosen else []
        for claim in claims:
            self._held[claim.token] = claim, time.monotonic()
            task = asyncio.create_task(self._do(claim))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return bool(worked or claims)

    async def _forget_expired(self) -> bool:
        """Forget a helping of what has expired, when it is time to look for that. Whether there was any."""
        if self._looks_left:
            self._looks_left -= 1
            return False
        worked = bool(await self._guarded(self._in_thread(self._catalog.forget_expired)))
        self._looks_left = 0 if worked else _FORGET_EACH
        return worked

    def _room(self) -> tuple[int, int, int]:
        """How many more jobs this worker can take: deliveries to webhooks that work, to those that fail, others."""
        deliveries = [(claim, since) for claim, since in self._held.values() if claim.kind == DELIVERY]
        failing = sum(claim.attempts > 0 for claim, _ in deliveries)
        recent = time.monotonic() - _PROMPT_S
        prompt = sum(claim.attempts == 0 and since > recent for claim, since in deliveries)
        free = min(_PROMPT_AT_ONCE - prompt, _DELIVERIES_AT_ONCE - len(deliveries))
        return free, _FAILING_AT_ONCE - failing, _JOBS_AT_ONCE - (len(self._held) - len(deliveries))

    async def _do(self, claim: Claim) -> None:
        try:
            if claim.kind == DELIVERY:
                try:
                    await self._guarded(self._deliver(claim), claim)
                except asyncio.CancelledError:
                    await self._guarded(self._in_thread(self._catalog.jobs.release, claim))
            else:
                await self._guarded(self._in_thread(self._carry_out, claim, pool=self._slow), claim)
        finally:
            self._held.pop(claim.token, None)
            self._wake.set()

    async def _deliver(self, claim: Claim) -> None:
        await self._courier.deliver(claim, lambda: self._stopping, self._in_thread)

    def _carry_out(self, claim: Claim) -> None:
        """Step after step, with a rest after each, so that requests are never kept waiting for long."""
        step = {
            FLOW_DELETION: self._catalog.deletions.step,
            REMOVAL: self._catalog.byte_removal.step,
            COPY: self._catalog.copies.step,
        }[claim.kind]
        while True:
            started = time.monotonic()
            if not step(claim):
                self._metrics.job_ran(claim.kind, "done")
                return
            if self._stopping:
                self._catalog.jobs.release(claim)
                return
            time.sleep(_rest_s(started))

    async def _guarded(self, work: Coroutine[Any, Any, T], claim: Claim | None = None) -> T | None:
        """The result of `work`. Where it fails that is logged, and its job put off or given up."""
        try:
            return await work
        except LostLease as error:
            _log.warning("%s is in the hands of another worker", error)
        except Contended as error:
            await self._failed(claim, error.message)
        except Unavailable as error:
            _log.warning("%s has to wait: %s", _called(claim), error)
            await self._failed(claim, error.message)
        except (Invalid, NotFound) as error:
            _log.warning("%s cannot be done: %s", _called(claim), error)
            if claim is not None and claim.kind == COPY:
                self._metrics.job_ran(claim.kind, "given_up")
                await self._guarded(self._in_thread(self._catalog.copies.give_up, claim))
            else:
                await self._failed(claim, error.message)
        except Exception as error:
            _log.exception("%s failed", _called(claim))
            await self._failed(claim, f"{type(error).__name__}: see the log")
        return None

    async def _failed(self, claim: Claim | None, reason: str) -> None:
        if claim is not None:
            await self._guarded(self._in_thread(self._put_off, claim, reason))

    def _put_off(self, claim: Claim, reason: str) -> None:
        tried_again = self._catalog.jobs.fail(claim, reason)
        self._metrics.job_ran(claim.kind, "failed" if tried_again else "given_up")
        if not tried_again:
            _log.error("%s has failed for good: %s", _called(claim), reason)
            if claim.kind == FLOW_DELETION:
                self._catalog.deletions.give_up(claim.key, reason)

    async def _beat(self) -> None:
        """Renew all leases, often enough that one failure does no harm."""
        while True:
            await asyncio.sleep(self._catalog.jobs.lease_s / 4)
            if self._held:
                held = [claim for claim, _ in self._held.values()]
                await self._guarded(self._in_thread(self._catalog.jobs.heartbeat, held, pool=self._pulse))

    async def _in_thread(self, function: Callable[..., T], *args: Any, pool: ThreadPoolExecutor | None = None) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool or self._quick, function, *args)


def _rest_s(started: float) -> float:
    """How long to rest after a step that began then, by the monotonic clock."""
    return min(_REST * (time.monotonic() - started), _LONGEST_REST_S)


def _within(rows: list[Row], deliveries: int, failing: int, others: int) -> list[Row]:
    """As many of the jobs as there is room for."""
    chosen = []
    for row in rows:
        if row["kind"] != DELIVERY:
            fits, others = others > 0, others - 1
        elif row["attempts"]:
            fits = failing > 0 and deliveries > 0
            failing, deliveries = failing - fits, deliveries - fits
        else:
            fits, deliveries = deliveries > 0, deliveries - 1
        if fits:
            chosen.append(row)
    return chosen[:_CLAIMED_AT_ONCE]


def _like(rows: list[Row]) -> list[Wanted]:
    """As many jobs of each sort as there are among these: the next ones where another worker is just taking these."""
    return [Wanted(sort, count) for sort, count in Counter(map(_sort, rows)).items()]


def _sort(row: Row) -> tuple[Condition, ...]:
    """The condition that this job meets with all those that take a place of the same sort."""
    if row["kind"] != DELIVERY:
        return _OTHERS
    return _FAILING_DELIVERIES if row["attempts"] else _DELIVERIES


def _called(claim: Claim | None) -> str:
    return "background work" if claim is None else f"job {claim.kind} {claim.key}"
