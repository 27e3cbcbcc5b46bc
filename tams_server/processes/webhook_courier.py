"""Sends a webhook its queued events, in order, until none are left or a delivery fails (DLV-01 to -12)."""

import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

import orjson

from storage.catalog.jobs import Claim, Jobs
from storage.catalog.webhooks.deliveries import Deliveries, Delivery, WebhookRequest
from tams_server.metrics.counters import Metrics
from tams_server.outbound.delivery_outcome import Outcome
from tams_server.outbound.sender import Sender
from tams_server.specification.validators import Validator

_log = logging.getLogger(__name__)

DELIVERY_ID = "TAMS-Delivery-Id"
"""The header whose value is the same for all attempts of one delivery (AMB-41)."""
_BATCH = 20
"""Deliveries that are read and acknowledged together. After a crash, up to so many are repeated."""
_TURN_S = 10.0
"""How long one webhook is sent events before others have their turn."""
_GONE = 410


class InThread(Protocol):
    """Runs a blocking call in a thread."""

    def __call__(self, function: Callable[..., Any], *args: Any) -> Coroutine[Any, Any, Any]: ...


class InvalidEvent(Exception):
    """An event does not conform to the specification: a fault of this server."""


class WebhookCourier:
    """Delivers queued events.

    bodies: the validator for each type of event. timeout_s: for each attempt as a whole, in seconds.
    fail_on_invalid_event: raise InvalidEvent instead of sending such an event anyway, for tests.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        jobs: Jobs,
        sender: Sender,
        bodies: Mapping[str, Validator],
        *,
        timeout_s: float,
        fail_on_invalid_event: bool,
        metrics: Metrics | None = None,
    ) -> None:
        self._deliveries = deliveries
        self._jobs = jobs
        self._sender = sender
        self._bodies = bodies
        self._timeout_s = timeout_s
        self._fail_on_invalid_event = fail_on_invalid_event
        self._metrics = metrics or Metrics()

    async def deliver(self, claim: Claim, stopping: Callable[[], bool], in_thread: InThread) -> None:
        """Send queued events to the webhook of `claim`, then finish or release the job.

        stopping: polled after each delivery; when it returns true, the job is released. Raises: LeaseLost.
        """
        turn_ends = time.monotonic() + _TURN_S
        while True:
            batch: list[Delivery] = await in_thread(self._deliveries.next_batch, claim.key, _BATCH)
            done: list[Delivery] = []
            failure: Outcome | None = None
            for delivery in batch:
                outcome = await self._send(claim, delivery, in_thread)
                if outcome is not None and not outcome.delivered:
                    failure = outcome
                    break
                done.append(delivery)
                if stopping() or time.monotonic() > turn_ends:
                    break
            if done:
                await in_thread(self._deliveries.mark_delivered, claim, done)
            if failure is not None:
                await in_thread(self._record_failure, claim, failure)
                return
            if not batch and await in_thread(self._deliveries.finish_if_empty, claim):
                return
            if stopping() or time.monotonic() > turn_ends:
                await in_thread(self._jobs.release, claim)
                return

    async def aclose(self) -> None:
        """Close all connections to receivers."""
        await self._sender.aclose()

    async def _send(self, claim: Claim, delivery: Delivery, in_thread: InThread) -> Outcome | None:
        """Attempt one delivery. Returns its outcome, or None if the event is no longer wanted."""
        request: WebhookRequest | None = await in_thread(self._deliveries.prepare_request, claim, delivery)
        if request is None:
            self._metrics.count_dropped_delivery()
            return None
        self._validate(request)
        headers = {"Content-Type": "application/json", DELIVERY_ID: delivery.id}
        if request.header is not None:
            headers[request.header[0]] = request.header[1]
        body = orjson.dumps(request.body)
        started = time.monotonic()
        outcome = await self._sender.post(request.url, headers, body, timeout_s=self._timeout_s)
        seconds = time.monotonic() - started
        self._metrics.count_delivery_attempt(request.event_type, delivered=outcome.delivered, seconds=seconds)
        return outcome

    def _record_failure(self, claim: Claim, outcome: Outcome) -> None:
        problem = outcome.problem or "status"
        gone = outcome.status == _GONE
        if self._deliveries.record_failure(claim, problem, outcome.summary, outcome.retry_after_s, gone=gone):
            _log.warning("webhook %s is given up and its status is now error: %s", claim.key, outcome.summary)
        else:
            _log.info("webhook %s: %s", claim.key, outcome.summary)

    def _validate(self, request: WebhookRequest) -> None:
        """Log an event that does not conform to the specification."""
        validator = self._bodies.get(request.event_type)
        if validator is None or validator.is_valid(request.body):
            return
        violation = validator.violation(request.body)
        fault = f"{request.event_type}: {violation.field or 'body'}: {violation.text}" if violation else "invalid"
        _log.error("event does not conform to the specification: %s", fault)
        if self._fail_on_invalid_event:
            raise InvalidEvent(fault)
