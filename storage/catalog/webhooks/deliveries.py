"""Deliveries: events on their way from the outbox to webhooks (DLV-*, FLT-*, TRF-*).

Any worker matches new events with webhooks, in one transaction, and queues a delivery for each match. Sending is a job
per webhook with queued deliveries, so that one worker at a time sends to it, in order, and a failing webhook does not
delay any other.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage.backoff import Backoff
from storage.catalog import job_queue
from storage.catalog.access.owners import owner_of
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.event_journal import Subject, newest_position
from storage.catalog.job_kinds import DELIVERY
from storage.catalog.jobs import Claim, Jobs
from storage.catalog.retry import retried
from storage.catalog.webhooks.delivery_progress import DeliveryProgress, Rejection, progress_doc
from storage.catalog.webhooks.event_access import may_receive
from storage.catalog.webhooks.event_filters import event_matches
from storage.catalog.webhooks.event_segments import event_segments
from storage.catalog.webhooks.webhook_errors import error_columns, set_aside_columns
from storage.errors import Contended
from storage.tables.conditions import Compare, In, equals
from storage.tables.rows import DeliveryRow
from storage.tables.transaction import Reader, Writer

_MAX_EVENTS_PER_DISPATCH = 200
_MAX_DELIVERIES_PER_DISPATCH = 5000
_LOCK = "dispatch"

WEBHOOK_BACKOFF = Backoff(first_s=1.0, longest_s=300.0)
"""Pauses after failed deliveries to a webhook (DLV-05)."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event to be sent to one webhook. position: the order of events, see EventRow."""

    webhook_id: str
    position: int
    event_id: str

    @property
    def id(self) -> str:
        """The id that every attempt shares, by which receivers recognise repeats (AMB-41)."""
        return str(uuid.uuid5(uuid.UUID(self.event_id), self.webhook_id))

    def part_id(self, sent: int, segments: int, *, whole: bool) -> str:
        """The id of a delivery of so many segments after the first `sent`. whole: nothing of the event follows."""
        return self.id if whole and not sent else str(uuid.uuid5(uuid.UUID(self.id), f"{sent}+{segments}"))


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """The request that delivers an event. header: name and value of the webhook's API key; body: the event as JSON."""

    url: str
    header: tuple[str, str] | None
    event_type: str
    body: dict[str, Any]


class Deliveries:
    def __init__(self, env: Environment) -> None:
        self._env = env
        self._jobs = Jobs(env)

    @staticmethod
    def are_pending(tx: Reader) -> bool:
        """Whether there are events that no worker has dispatched yet."""
        return bool(tx.select("events", equals(pending=True), limit=1, columns=["id"]))

    @retried
    def dispatch(self) -> bool:
        """Queue a batch of new events for the webhooks that they match. Returns False when there were none."""
        with self._env.engine.read() as tx:
            pending = equals(pending=True)
            events = tx.select("events", pending, order=("position",), limit=_MAX_EVENTS_PER_DISPATCH)
            if not events:
                return False
            hooks = tx.select("webhooks", equals(enabled=True), columns=["id", "since", "doc"])
            newest = newest_position(tx, pending=False)
        moved = events[0]["position"] <= newest  # the clock was set back
        wanted: list[str] = []
        unwanted: list[str] = []
        queued: list[DeliveryRow] = []
        for event in events:
            if moved:
                newest = event["position"] = max(event["position"], newest + 1)
            matching = [hook for hook in hooks if event_matches(event, hook)]
            queued += [
                {"webhook_id": hook["id"], "position": event["position"], "event_id": event["id"]} for hook in matching
            ]
            (wanted if matching else unwanted).append(event["id"])
            if len(queued) > _MAX_DELIVERIES_PER_DISPATCH:
                break
        with self._env.engine.write() as tx:
            tx.lock(_LOCK)
            taken = tx.update("events", [In("id", wanted), *equals(pending=True)], {"pending": False})
            if taken != len(wanted):
                raise Contended("another worker is queueing these events")
            if moved:
                positions = {event["id"]: event["position"] for event in events}
                tx.update_rows("events", [{"id": id_, "position": positions[id_]} for id_ in wanted])
            tx.delete("events", [In("id", unwanted), *equals(pending=True)])
            tx.insert("deliveries", queued, fresh=True)
            job_queue.enqueue(tx, self._env.clock(), DELIVERY, {row["webhook_id"] for row in queued})
        return True

    def next_batch(self, webhook_id: str, limit: int) -> list[Delivery]:
        """Return the next queued deliveries to a webhook, in order."""
        with self._env.engine.read() as tx:
            order = ("webhook_id", "position", "event_id")
            rows = tx.select("deliveries", equals(webhook_id=webhook_id), order=order, limit=limit)
        return [Delivery(**row) for row in rows]

    def prepare_request(
        self, claim: Claim, delivery: Delivery, sent: int = 0, lease_s: float = 0.0
    ) -> WebhookRequest | None:
        """Return the request that delivers an event without its first `sent` segments, with URLs signed now (TRF-09).

        None if the event is no longer wanted, since the webhook was deleted, disabled or changed (HOOK-DEL-03), or if
        its owner may not read what the event is about.
        lease_s: how long the request may take. A lease that ends before is renewed, so that two workers never send to
        the same webhook at once. Raises: LeaseLost.
        """
        with self._env.engine.read() as tx:
            if self._jobs.require_lease(tx, claim) > lease_s:
                return self._request(tx, delivery, sent)
        self._jobs.renew(claim)
        with self._env.engine.read() as tx:
            return self._request(tx, delivery, sent)

    def _request(self, tx: Reader, delivery: Delivery, sent: int) -> WebhookRequest | None:
        hook = tx.get("webhooks", id=delivery.webhook_id)
        event = tx.get("events", id=delivery.event_id)
        if hook is None or event is None or not hook["enabled"] or delivery.position < hook["since"] * 1000:
            return None
        owner = None
        if self._env.access.enabled:
            owner = owner_of(tx, self._env.access, hook["owner"], self._env.clock())
            if not may_receive(tx, owner, Subject(**event["doc"]["subject"])):
                return None
        doc = hook["doc"]
        body = event["doc"]["message"]
        if "segments" in body["event"]:
            unsent = body["event"]["segments"][sent:]
            body["event"]["segments"] = event_segments(tx, self._env, owner, unsent, doc, hook["base_url"])
        header = None if hook["secret"] is None else (doc["api_key_name"], hook["secret"])
        return WebhookRequest(doc["url"], header, body["event_type"], body)

    @retried
    def mark_delivered(self, claim: Claim, done: Sequence[Delivery]) -> None:
        """Remove deliveries that succeeded or are no longer wanted, and clear earlier failures. Raises: LeaseLost."""
        with self._env.engine.write() as tx:
            self._jobs.clear_failures(tx, claim)
            hook = tx.get("webhooks", id=claim.key)
            if hook is not None and (hook["status"] == "created" or hook["failing_since"] is not None):
                values = {"failing_since": None} | ({"status": "started"} if hook["status"] == "created" else {})
                tx.update("webhooks", equals(id=claim.key, status=hook["status"]), values)
            self._remove(tx, claim.key, done)

    @retried
    def drop(self, claim: Claim, unwanted: Sequence[Delivery]) -> None:
        """Remove deliveries without sending them. Raises: LeaseLost."""
        with self._env.engine.write() as tx:
            self._jobs.renew_within(tx, claim)
            self._remove(tx, claim.key, unwanted)

    @retried
    def record_progress(self, claim: Claim, progress: DeliveryProgress) -> None:
        """Record that a part of an event has been delivered, and renew the lease. Raises: LeaseLost."""
        with self._env.engine.write() as tx:
            self._jobs.save_doc(tx, claim, progress_doc(progress))

    @retried
    def record_rejection(
        self, claim: Claim, delivery: Delivery, progress: DeliveryProgress, rejection: Rejection
    ) -> DeliveryProgress | None:
        """Set a part of an event aside if the receiver has rejected it for long enough, so that others can follow.

        The webhook's `error` then describes what was set aside, while its status stays as it is (HOOK-ST-06).
        Returns the progress of the event after that. None if the part is to be sent again later; the caller then calls
        `record_failure`. Raises: LeaseLost.
        """
        now = self._env.clock()
        limits = self._env.limits
        with self._env.engine.write() as tx:
            tx.lock(f"webhook:{claim.key}")
            since = progress.rejected_since or now
            progress = replace(progress, rejected_since=since)
            # A receiver that finds single events too large is alive, so that it is not given up because of them.
            limit_s = limits.webhook_set_aside_s
            if rejection.too_large:
                limit_s = min(limit_s, limits.webhook_give_up_s)
            hook = tx.get("webhooks", id=claim.key)
            if hook is None or not hook["enabled"] or now - since < limit_s * SECOND:
                self._jobs.save_doc(tx, claim, progress_doc(progress))
                return None
            progress = progress.after(rejection.segments)
            self._jobs.save_doc(tx, claim, progress_doc(progress))
            values = set_aside_columns(hook, delivery.event_id, rejection, now)
            tx.update("webhooks", equals(id=claim.key, status=hook["status"]), values)
            if rejection.is_rest:
                self._remove(tx, claim.key, [delivery])
        return progress

    @retried
    def record_failure(
        self, claim: Claim, problem: str, summary: str, retry_after_s: float | None, *, gone: bool
    ) -> bool:
        """Release the job after a failed delivery and retry later, or give the webhook up (DLV-05, HOOK-ST-05).

        problem: a short, stable name of the kind of failure. summary: one sentence. retry_after_s: the least pause in
        seconds, if the receiver asked for one. gone: the receiver wants no more events.
        Returns whether the webhook was given up: its status is now `error`. Raises: LeaseLost.
        """
        now = self._env.clock()
        gives_up = False
        with self._env.engine.write() as tx:
            self._jobs.renew_within(tx, claim)
            hook = tx.get("webhooks", id=claim.key)
            enabled = hook is not None and hook["enabled"]
            if hook is not None and enabled:
                since = hook["failing_since"] or now
                values: dict[str, Any] = {"failing_since": since, "status": "started"}
                if gone or now - since >= self._env.limits.webhook_give_up_s * SECOND:
                    values |= error_columns(hook, problem, summary, now)
                    gives_up = True
                tx.update("webhooks", equals(id=claim.key, status=hook["status"]), values)
            backoff = WEBHOOK_BACKOFF if enabled else None
            self._jobs.retry_later(tx, claim, summary, backoff=backoff, min_pause_s=retry_after_s or 0.0)
        return gives_up

    @retried
    def finish_if_empty(self, claim: Claim) -> bool:
        """Finish the job if no deliveries are queued. Returns whether it did. Raises: LeaseLost."""
        with self._env.engine.write() as tx:
            tx.lock(_LOCK)
            self._jobs.renew_within(tx, claim)
            if tx.select("deliveries", equals(webhook_id=claim.key), limit=1, columns=["event_id"]):
                return False
            self._jobs.finish(tx, claim)
        return True

    @staticmethod
    def _remove(tx: Writer, webhook_id: str, deliveries: Sequence[Delivery]) -> None:
        """Remove deliveries, and those of their events that no other webhook is still to be sent."""
        if not deliveries:
            return
        ids = [delivery.event_id for delivery in deliveries]
        positions = [delivery.position for delivery in deliveries]
        between = (Compare("position", ">=", min(positions)), Compare("position", "<=", max(positions)))
        tx.delete("deliveries", [*equals(webhook_id=webhook_id), *between, In("event_id", ids)])
        if shared := _with_deliveries(tx, ids):
            # Of two concurrent transactions that remove the last deliveries of an event, the later one now waits for
            # the earlier one, or fails and is repeated, and so finds the event without deliveries.
            tx.update("events", [In("id", sorted(shared))], {"pending": False})
            shared = _with_deliveries(tx, sorted(shared))
        tx.delete("events", [In("id", [id_ for id_ in ids if id_ not in shared])])


def _with_deliveries(tx: Reader, event_ids: Sequence[str]) -> set[str]:
    """Those of the events that are still to be sent to a webhook."""
    rows = tx.select("deliveries", [In("event_id", event_ids)], columns=["event_id"])
    return {row["event_id"] for row in rows}
