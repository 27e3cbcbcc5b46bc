"""Sends one webhook what is queued for it, in order, until nothing is left or the receiver fails (DLV-01 to -12)."""

import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

import orjson

from storage.catalog.jobs import Claim, Jobs
from storage.catalog.webhooks.deliveries import Deliveries, Delivery, Message
from tams_server.metrics.counters import Metrics
from tams_server.outbound.delivery_outcome import Outcome
from tams_server.outbound.sender import Sender
from tams_server.specification.validators import Validator

_log = logging.getLogger(__name__)

DELIVERY_ID = "TAMS-Delivery-Id"
"""The header that is the same at every try of one delivery (AMB-41)."""
_AT_ONCE = 20
"""Deliveries read, and acknowledged, together: as many may come twice after a crash."""
_TURN_S = 10.0
"""How long one webhook is served before others have their turn."""
_GONE = 410


class InThread(Protocol):
    def __call__(self, function: Callable[..., Any], *args: Any) -> Coroutine[Any, Any, Any]: ...


class InvalidEvent(Exception):
    """An event that breaks the specification: a fault of this server."""


class WebhookCourier:
    """bodies: the validator of each event type's message. timeout_s: for each delivery as a whole."""

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
        self._fail = fail_on_invalid_event
        self._metrics = metrics or Metrics()

    async def deliver(self, claim: Claim, stopping: Callable[[], bool], in_thread: InThread) -> None:
        """Send what is queued for the webhook of `claim`. Raises LostLease."""
        turn_ends = time.monotonic() + _TURN_S
        while True:
            batch: list[Delivery] = await in_thread(self._deliveries.queued, claim.key, _AT_ONCE)
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
                await in_thread(self._deliveries.delivered, claim, done)
            if failure is not None:
                await in_thread(self._failed, claim, failure)
                return
            if not batch and await in_thread(self._deliveries.finish, claim):
                return
            if stopping() or time.monotonic() > turn_ends:
                await in_thread(self._jobs.release, claim)
                return

    async def aclose(self) -> None:
        """Close all connections to receivers."""
        await self._sender.aclose()

    async def _send(self, claim: Claim, delivery: Delivery, in_thread: InThread) -> Outcome | None:
        """What became of one delivery; None where it is no longer wanted."""
        message: Message | None = await in_thread(self._deliveries.message, claim, delivery)
        if message is None:
            self._metrics.delivery_dropped()
            return None
        self._check(message)
        headers = {"Content-Type": "application/json", DELIVERY_ID: delivery.id}
        if message.header is not None:
            headers[message.header[0]] = message.header[1]
        body = orjson.dumps(message.body)
        started = time.monotonic()
        outcome = await self._sender.post(message.url, headers, body, timeout_s=self._timeout_s)
        self._metrics.delivery(message.event_type, delivered=outcome.delivered, seconds=time.monotonic() - started)
        return outcome

    def _failed(self, claim: Claim, outcome: Outcome) -> None:
        problem = outcome.problem or "status"
        gone = outcome.status == _GONE
        if self._deliveries.failed(claim, problem, outcome.summary, outcome.retry_after_s, gone=gone):
            _log.warning("webhook %s is given up, and goes to error: %s", claim.key, outcome.summary)
        else:
            _log.info("webhook %s: %s", claim.key, outcome.summary)

    def _check(self, message: Message) -> None:
        """Hold an event against the specification before it goes out."""
        validator = self._bodies.get(message.event_type)
        if validator is None or validator.is_valid(message.body):
            return
        complaint = validator.complaint(message.body)
        fault = f"{message.event_type}: {complaint.field or 'body'}: {complaint.text}" if complaint else "invalid"
        _log.error("event breaks the specification: %s", fault)
        if self._fail:
            raise InvalidEvent(fault)
