"""What whoever runs the service may see of background work, and do about it.

Discarding takes a job away from the worker that has it, and leaves what it was about in a true state.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.jobs import COPY, DELIVERY, FLOW_DELETION, REMOVAL, Claim, Counts, Jobs
from storage.catalog.objects import byte_removal
from storage.catalog.objects.copies import Copies
from storage.catalog.retry import retried
from storage.catalog.segments.deletions import Deletions
from storage.catalog.webhooks.deliveries import Deliveries, Delivery
from storage.errors import Invalid, NotFound
from storage.tables.conditions import In, equals
from storage.tables.engine import Reader, Row

_AT_ONCE = 500
_DISCARDED = "an operator has discarded the work"
COUNTED = 10_000
"""Things that wait are counted up to here."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What there is to do. jobs: by kind. events: not yet queued for webhooks, counted up to COUNTED.
    oldest_event: microseconds since 1970 at which the first of them happened."""

    jobs: dict[str, Counts]
    events: int
    oldest_event: int | None


class JobControl:
    def __init__(self, env: Environment, deliveries: Deliveries, deletions: Deletions, copies: Copies) -> None:
        self._env = env
        self._jobs = Jobs(env)
        self._deliveries = deliveries
        self._deletions = deletions
        self._copies = copies

    def backlog(self) -> Backlog:
        """How much there is to do now."""
        with self._env.engine.read() as tx:
            pending = tx.select(
                "events", equals(pending=True), order=("position",), limit=COUNTED, columns=["position"]
            )
        oldest = pending[0]["position"] // 1000 if pending else None
        return Backlog(self._jobs.counts(), len(pending), oldest)

    def listed(self, state: str | None = None) -> list[dict[str, Any]]:
        """Every job, or those in one state, the oldest first, each with `about`: what it is for, without secrets."""
        documents = self._jobs.listed(state)
        with self._env.engine.read() as tx:
            return [document | {"about": _about(tx, document["kind"], document["key"])} for document in documents]

    def retry(self, kind: str, key: str) -> None:
        """Have a job tried again at once. Raises NotFound."""
        self._jobs.retry(kind, key)

    def retry_failed(self) -> int:
        """Have all jobs tried again that have failed for good; their number."""
        failed = self._jobs.listed("failed")
        for document in failed:
            self.retry(document["kind"], document["key"])
        return len(failed)

    def discard(self, kind: str, key: str) -> str:
        """Give a job up; a sentence on what that means.

        Raises NotFound, or Invalid for a copy that is being written: what it writes would outlast it.
        """
        claim = self._seize(kind, key)
        if kind == FLOW_DELETION:
            self._deletions.give_up(key, _DISCARDED)
            self._finish(claim)
            return "its delete request shows an error; segments that were not deleted yet stay"
        if kind == COPY:
            self._copies.give_up(claim)
            return "what there may be of the copy will be removed"
        if kind == DELIVERY:
            return f"{self._drop_queue(claim)} events are not sent to this webhook, and later ones are"
        if kind == REMOVAL:
            return f"{self._drop_garbage(claim)} objects keep their bytes there; 'check' finds them"
        self._finish(claim)
        return "it will not be done"

    @retried
    def _seize(self, kind: str, key: str) -> Claim:
        """Take a job away from whoever has it."""
        with self._env.engine.write() as tx:
            row = tx.get("jobs", kind=kind, key=key)
            if row is None:
                raise NotFound(f"there is no job {kind} {key}")
            if kind == COPY and row["token"] is not None and (row["due"] or 0) > self._env.clock():
                raise Invalid(
                    f"job {kind} {key} is being worked on, and a copy cannot be stopped: it ends, or fails, by itself"
                )
            tx.delete("jobs", equals(kind=kind, key=key))
            return self._jobs.start(tx, "operator", kind, key, row["doc"])

    @retried
    def _finish(self, claim: Claim) -> None:
        with self._env.engine.write() as tx:
            self._jobs.finish(tx, claim)

    def _drop_queue(self, claim: Claim) -> int:
        """Forget what is queued for a webhook now, batch by batch; how much that was. Later events keep their job."""
        last = self._last(claim.key)
        dropped = 0
        while last is not None:
            batch = self._deliveries.queued(claim.key, _AT_ONCE)
            old = [each for each in batch if (each.position, each.event_id) <= (last.position, last.event_id)]
            self._deliveries.drop(claim, old)
            dropped += len(old)
            if len(old) < _AT_ONCE:
                break
        if not self._deliveries.finish(claim):
            self._jobs.release(claim)
        return dropped

    def _last(self, webhook_id: str) -> Delivery | None:
        order = ("webhook_id", "position", "event_id")
        with self._env.engine.read() as tx:
            rows = tx.select("deliveries", equals(webhook_id=webhook_id), order=order, descending=True, limit=1)
        return Delivery(**rows[0]) if rows else None

    def _drop_garbage(self, claim: Claim) -> int:
        dropped = 0
        while True:
            ids = self._forget_garbage(claim)
            if not ids:
                return dropped
            dropped += ids

    @retried
    def _forget_garbage(self, claim: Claim) -> int:
        """Forget a batch of what is to be removed from a backend; its size. The job ends with the last."""
        here = equals(storage_id=claim.key)
        with self._env.engine.write() as tx:
            tx.lock(byte_removal.LOCK)
            self._jobs.keep(tx, claim)
            rows = tx.select("garbage", here, order=("object_id",), limit=_AT_ONCE, columns=["object_id"])
            if rows:
                tx.delete("garbage", [*here, In("object_id", [row["object_id"] for row in rows])])
            else:
                self._jobs.finish(tx, claim)
        return len(rows)


def _about(tx: Reader, kind: str, key: str) -> dict[str, Any]:
    if kind == DELIVERY:
        return _about_delivery(tx, key)
    if kind == FLOW_DELETION:
        row = tx.get("deletion_requests", id=key)
        return {} if row is None else {"flow": row["flow_id"], "remaining": row["doc"]["timerange_remaining"]}
    if kind == REMOVAL:
        rows = tx.select("garbage", equals(storage_id=key), limit=COUNTED, columns=["object_id"])
        return {"backend": key, "objects": len(rows)}
    if kind == COPY:
        storage_id, _, object_id = key.partition(" ")
        return {"object": object_id, "backend": storage_id}
    return {}


def _about_delivery(tx: Reader, webhook_id: str) -> dict[str, Any]:
    waiting = tx.select("deliveries", equals(webhook_id=webhook_id), limit=COUNTED, columns=["event_id"])
    hook: Row | None = tx.get("webhooks", id=webhook_id)
    about: dict[str, Any] = {"events": len(waiting)}
    if hook is not None:
        about |= {"webhook": bare(hook["url"]), "status": hook["status"]}
        if hook["failing_since"] is not None:
            about["failing_since"] = rfc3339(hook["failing_since"])
    return about


def bare(url: str) -> str:
    """A URL without what may hold a secret: user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return "(a URL that cannot be read)"
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{port}{parts.path}"
