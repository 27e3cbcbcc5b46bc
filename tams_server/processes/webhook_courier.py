"""Sends a webhook its queued events, in order, until none are left or a delivery fails (DLV-01 to -12)."""

import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from storage.catalog.jobs import Claim, Jobs
from storage.catalog.webhooks.deliveries import Deliveries, Delivery, WebhookRequest
from storage.catalog.webhooks.delivery_progress import DeliveryProgress, Rejection, read_progress
from tams_server.metrics.counters import Metrics
from tams_server.outbound.delivery_outcome import Outcome
from tams_server.outbound.header_rules import DELIVERY_ID
from tams_server.outbound.sender import Sender
from tams_server.processes.event_parts import EventPart, first_part
from tams_server.specification.validators import Validator

_log = logging.getLogger(__name__)

_BATCH = 20
"""Deliveries that are read and acknowledged together. After a crash, up to so many are repeated."""
_TURN_S = 10.0
"""How long one webhook is sent events before others have their turn."""
_GONE = 410
_TOO_LARGE = 413
_REJECTIONS = (400, _TOO_LARGE, 422)
"""Statuses by which a receiver rejects one event rather than all of them."""


class InThread(Protocol):
    """Runs a blocking call in a thread."""

    def __call__(self, function: Callable[..., Any], *args: Any) -> Coroutine[Any, Any, Any]: ...


class InvalidEvent(Exception):
    """An event does not conform to the specification: a fault of this server."""


@dataclass(slots=True)
class _Turn:
    """The time in which one webhook is sent events. progress: of the event that is being sent, or was sent last."""

    claim: Claim
    in_thread: InThread
    is_over: Callable[[], bool]
    progress: DeliveryProgress


@dataclass(frozen=True, slots=True)
class _Failure:
    """A part of an event that was not delivered."""

    delivery: Delivery
    part: EventPart
    outcome: Outcome


class WebhookCourier:
    """Delivers queued events.

    bodies: the validator for each type of event. timeout_s: for each attempt as a whole, in seconds.
    max_bytes: the size above which an event is sent in parts.
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
        max_bytes: int = 256 * 2**10,
        fail_on_invalid_event: bool,
        metrics: Metrics | None = None,
    ) -> None:
        self._deliveries = deliveries
        self._jobs = jobs
        self._sender = sender
        self._bodies = bodies
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._fail_on_invalid_event = fail_on_invalid_event
        self._metrics = metrics or Metrics()

    async def deliver(self, claim: Claim, stopping: Callable[[], bool], in_thread: InThread) -> None:
        """Send queued events to the webhook of `claim`, then finish or release the job.

        stopping: polled after each request; when it returns true, the job is released. Raises: LeaseLost.
        """
        ends = time.monotonic() + _TURN_S
        turn = _Turn(claim, in_thread, lambda: stopping() or time.monotonic() > ends, read_progress(claim.doc))
        while True:
            batch: list[Delivery] = await in_thread(self._deliveries.next_batch, claim.key, _BATCH)
            done: list[Delivery] = []
            failure: _Failure | None = None
            for delivery in batch:
                outcome = await self._send(turn, delivery)
                if isinstance(outcome, _Failure):
                    failure = outcome
                    break
                if outcome:
                    done.append(delivery)
                if turn.is_over():
                    break
            if done:
                await in_thread(self._deliveries.mark_delivered, claim, done)
            if failure is not None and not await in_thread(self._set_aside, turn, failure):
                if failure.outcome.status not in _REJECTIONS and turn.progress.rejected_since is not None:
                    # Only an uninterrupted time of rejections counts.
                    progress = replace(turn.progress, rejected_since=None)
                    await in_thread(self._deliveries.record_progress, claim, progress)
                await in_thread(self._record_failure, claim, failure.outcome)
                return
            if not batch and await in_thread(self._deliveries.finish_if_empty, claim):
                return
            if turn.is_over():
                await in_thread(self._jobs.release, claim)
                return

    async def aclose(self) -> None:
        """Close all connections to receivers."""
        await self._sender.aclose()

    async def _send(self, turn: "_Turn", delivery: Delivery) -> "bool | _Failure":
        """Send an event, in parts if it is large.

        Returns whether it is done: sent, or no longer wanted. It is not if the turn is over before its last part.
        """
        while True:
            progress = turn.progress = turn.progress.of_event(delivery.event_id)
            request: WebhookRequest | None = await turn.in_thread(
                self._deliveries.prepare_request, turn.claim, delivery, progress.sent, self._timeout_s
            )
            if request is None:
                self._metrics.count_dropped_delivery()
                return True
            self._validate(request)
            part = first_part(request.body, min(self._max_bytes, progress.max_bytes or self._max_bytes))
            delivery_id = delivery.part_id(progress.sent, part.segments, whole=part.is_rest)
            outcome = await self._post(request, part, delivery_id)
            if outcome.delivered:
                turn.progress = progress.after(part.segments)
                if part.is_rest:
                    return True
                await turn.in_thread(self._deliveries.record_progress, turn.claim, turn.progress)
            elif outcome.status == _TOO_LARGE and part.segments > 1:
                turn.progress = replace(progress, max_bytes=len(part.body) // 2)
            else:
                return _Failure(delivery, part, outcome)
            if turn.is_over():
                return False

    async def _post(self, request: WebhookRequest, part: EventPart, delivery_id: str) -> Outcome:
        headers = {"Content-Type": "application/json", DELIVERY_ID: delivery_id}
        started = time.monotonic()
        outcome = await self._sender.post(
            request.url, headers, part.body, timeout_s=self._timeout_s, key=request.header
        )
        seconds = time.monotonic() - started
        self._metrics.count_delivery_attempt(request.event_type, delivered=outcome.delivered, seconds=seconds)
        return outcome

    def _set_aside(self, turn: "_Turn", failure: "_Failure") -> bool:
        """Set a part of an event aside if the receiver keeps rejecting it. Returns whether it was."""
        outcome, part = failure.outcome, failure.part
        if outcome.status not in _REJECTIONS:
            return False
        rejection = Rejection(part.segments, part.is_rest, outcome.status == _TOO_LARGE, outcome.summary)
        progress = self._deliveries.record_rejection(turn.claim, failure.delivery, turn.progress, rejection)
        if progress is None:
            return False
        turn.progress = progress
        self._metrics.count_delivery_set_aside()
        event_id = failure.delivery.event_id
        _log.warning("webhook %s: a part of event %s is set aside: %s", turn.claim.key, event_id, outcome.summary)
        return True

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
