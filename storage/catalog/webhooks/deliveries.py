"""The way of events from the outbox to webhooks: matched, queued in order for each, and made into messages (DLV-*,
FLT-*, TRF-*).

Matching is one transaction, done by any worker. Sending is a job for each webhook that has something queued, so that
one worker at a time sends to it, in order; a webhook that fails holds up no other.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage.catalog import jobs
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.event_journal import Subject
from storage.catalog.jobs import DELIVERY, Claim, Jobs
from storage.catalog.objects.get_urls import UrlFilter, read_get_urls
from storage.catalog.retry import retried
from storage.catalog.webhooks import webhooks
from storage.errors import Contended
from storage.tables.conditions import In, equals
from storage.tables.engine import Reader, Row, Writer

_EVENTS_AT_ONCE = 200
_DELIVERIES_AT_ONCE = 5000
_LOCK = "dispatch"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook."""

    webhook_id: str
    position: int
    event_id: str

    @property
    def id(self) -> str:
        """The same at every try, for receivers to know repeats by (AMB-41)."""
        return str(uuid.uuid5(uuid.UUID(self.event_id), self.webhook_id))


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent where. header: name and value of the receiver's key; body: the event as a document."""

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
        """Whether there are events that no worker has queued."""
        return bool(tx.select("events", equals(pending=True), limit=1, columns=["id"]))

    @retried
    def dispatch(self) -> bool:
        """Queue a batch of new events for the webhooks that they match. False when there are none."""
        with self._env.engine.read() as tx:
            pending = equals(pending=True)
            events = tx.select("events", pending, order=("position",), limit=_EVENTS_AT_ONCE)
            if not events:
                return False
            hooks = tx.select("webhooks", equals(enabled=True), columns=["id", "since", "doc"])
        wanted: list[str] = []
        unwanted: list[str] = []
        queued: list[Row] = []
        for event in events:
            rows = [_queued(event, hook) for hook in hooks if _matches(event, hook)]
            queued += rows
            (wanted if rows else unwanted).append(event["id"])
            if len(queued) > _DELIVERIES_AT_ONCE:
                break
        with self._env.engine.write() as tx:
            tx.lock(_LOCK)
            taken = tx.update("events", [In("id", wanted), *equals(pending=True)], {"pending": False})
            if taken != len(wanted):
                raise Contended("another worker is queueing these events")
            tx.delete("events", [In("id", unwanted), *equals(pending=True)])
            tx.insert("deliveries", queued, fresh=True)
            jobs.ensure(tx, self._env.clock(), DELIVERY, {row["webhook_id"] for row in queued})
        return True

    def queued(self, webhook_id: str, limit: int) -> list[Delivery]:
        """The next deliveries to a webhook, in order."""
        with self._env.engine.read() as tx:
            order = ("webhook_id", "position", "event_id")
            rows = tx.select("deliveries", equals(webhook_id=webhook_id), order=order, limit=limit)
        return [Delivery(**row) for row in rows]

    def message(self, claim: Claim, delivery: Delivery) -> Message | None:
        """What is to be sent, with URLs signed now (TRF-09); None for what is no longer wanted (HOOK-DEL-03).

        Raises LostLease, so that no two workers send at the same time.
        """
        with self._env.engine.read() as tx:
            self._jobs.check(tx, claim)
            hook = tx.get("webhooks", id=delivery.webhook_id)
            event = tx.get("events", id=delivery.event_id)
            if hook is None or event is None or not hook["enabled"] or delivery.position < hook["since"] * 1000:
                return None
            doc = hook["doc"]
            body = event["doc"]["message"]
            if "segments" in body["event"]:
                body["event"]["segments"] = self._segments(tx, body["event"]["segments"], doc, hook["base_url"])
        header = None if hook["secret"] is None else (doc["api_key_name"], hook["secret"])
        return Message(doc["url"], header, body["event_type"], body)

    @retried
    def delivered(self, claim: Claim, done: Sequence[Delivery]) -> None:
        """Forget deliveries that have arrived, or are no longer wanted. Raises LostLease."""
        with self._env.engine.write() as tx:
            self._jobs.succeeded(tx, claim)
            hook = tx.get("webhooks", id=claim.key)
            if hook is not None and (hook["status"] == "created" or hook["failing_since"] is not None):
                values = {"failing_since": None} | ({"status": "started"} if hook["status"] == "created" else {})
                tx.update("webhooks", equals(id=claim.key, status=hook["status"]), values)
            self._forget(tx, claim.key, done)

    @retried
    def drop(self, claim: Claim, unwanted: Sequence[Delivery]) -> None:
        """Forget deliveries that are not to be sent. Raises LostLease."""
        with self._env.engine.write() as tx:
            self._jobs.keep(tx, claim)
            self._forget(tx, claim.key, unwanted)

    @retried
    def failed(self, claim: Claim, problem: str, summary: str, pause: float | None, *, gone: bool) -> bool:
        """Put a webhook's deliveries off after a failure, or give the webhook up (DLV-05, HOOK-ST-05); whether it was.

        problem: a short stable word; summary: one sentence; pause: seconds that the receiver asked for; gone: the
        receiver wants nothing more.
        """
        now = self._env.clock()
        given_up = False
        with self._env.engine.write() as tx:
            self._jobs.keep(tx, claim)
            hook = tx.get("webhooks", id=claim.key)
            if hook is not None and hook["enabled"]:
                since = hook["failing_since"] or now
                values: dict[str, Any] = {"failing_since": since, "status": "started"}
                if gone or now - since >= self._env.limits.webhook_give_up_s * SECOND:
                    values |= webhooks.failed(hook, problem, summary, now)
                    given_up = True
                tx.update("webhooks", equals(id=claim.key, status=hook["status"]), values)
            self._jobs.postpone(tx, claim, summary, (pause or 0) if hook and hook["enabled"] else None)
        return given_up

    @retried
    def finish(self, claim: Claim) -> bool:
        """End the job if nothing is queued any more; whether it has ended. Raises LostLease."""
        with self._env.engine.write() as tx:
            tx.lock(_LOCK)
            self._jobs.keep(tx, claim)
            if tx.select("deliveries", equals(webhook_id=claim.key), limit=1, columns=["event_id"]):
                return False
            self._jobs.finish(tx, claim)
        return True

    @staticmethod
    def _forget(tx: Writer, webhook_id: str, done: Sequence[Delivery]) -> None:
        for delivery in done:
            place = equals(webhook_id=webhook_id, position=delivery.position, event_id=delivery.event_id)
            tx.delete("deliveries", place)
        ids = [delivery.event_id for delivery in done]
        left = {row["event_id"] for row in tx.select("deliveries", [In("event_id", ids)], columns=["event_id"])}
        tx.delete("events", [In("id", [id_ for id_ in ids if id_ not in left])])

    def _segments(
        self, tx: Reader, segments: Sequence[Mapping[str, Any]], doc: Mapping[str, Any], base_url: str
    ) -> list[dict[str, Any]]:
        """The segments of a message as this webhook wants them (TRF-01 to -08)."""
        wanted = UrlFilter(
            labels=doc.get("accept_get_urls"),
            storage_ids=doc.get("accept_storage_ids"),
            presigned=doc.get("presigned"),
            verbose=doc.get("verbose_storage", False),
        )
        named = {s["object_id"] for s in segments} | {s["init_object_id"] for s in segments if "init_object_id" in s}
        get_urls = read_get_urls(tx, self._env, named, wanted, base_url)
        items = []
        for segment in segments:
            item = {name: value for name, value in segment.items() if name != "init_object_id"}
            if not doc.get("include_object_timerange", False):
                item.pop("object_timerange", None)
            item["get_urls"] = get_urls[item["object_id"]]
            if "init_object_id" in segment:
                init_id = segment["init_object_id"]
                item["init_object"] = {"object_id": init_id, "get_urls": get_urls[init_id]}
            items.append(item)
        return items


def _queued(event: Row, hook: Row) -> Row:
    return {"webhook_id": hook["id"], "position": event["position"], "event_id": event["id"]}


def _matches(event: Row, hook: Row) -> bool:
    """Whether a webhook wants an event (FLT-01 to -07). A list of ids that is empty matches nothing (AMB-10)."""
    doc = hook["doc"]
    if event["position"] < hook["since"] * 1000 or event["doc"]["message"]["event_type"] not in doc["events"]:
        return False
    subject = Subject(**event["doc"]["subject"])
    if "source_ids" in doc and subject.source_id not in doc["source_ids"]:
        return False
    if not _collected(doc.get("source_collected_by_ids"), subject.source_collected_by):
        return False
    if subject.flow_id is None:
        return True
    if "flow_ids" in doc and subject.flow_id not in doc["flow_ids"]:
        return False
    return _collected(doc.get("flow_collected_by_ids"), subject.flow_collected_by)


def _collected(wanted: Sequence[str] | None, collectors: Sequence[str]) -> bool:
    """Whether a filter on collections lets something through that these collect (FLT-04 to -06)."""
    if wanted is None:
        return True
    return not collectors if not wanted else not set(wanted).isdisjoint(collectors)
