"""Background work as an operator sees and controls it: list, retry and discard jobs.

Discarding a job takes it away from the worker that holds it, and leaves the resource that it was for in a consistent
state.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from storage import error_codes
from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.job_kinds import COPY, DELIVERY, FLOW_DELETION, REMOVAL, SEGMENT_EVENTS, JobState
from storage.catalog.job_states import Counts
from storage.catalog.jobs import Claim, Jobs
from storage.catalog.objects import byte_removal
from storage.catalog.objects.copies import Copies
from storage.catalog.retry import retried
from storage.catalog.segments.flow_delete_requests import FlowDeleteRequests
from storage.catalog.webhooks.deliveries import Deliveries, Delivery
from storage.errors import Invalid, NotFound
from storage.tables.conditions import In, equals
from storage.tables.rows import JobKind
from storage.tables.transaction import Reader

_BATCH = 500
_DISCARDED = "an operator has discarded the work"
COUNTED = 10_000
"""The highest count of waiting events or objects that is reported; there may be more."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Work that is still to be done. jobs: counts by kind. events: how many are not yet queued for webhooks, counted up
    to COUNTED. oldest_event: when the oldest of these happened, in microseconds since 1970."""

    jobs: dict[str, Counts]
    events: int
    oldest_event: int | None


class JobControl:
    def __init__(
        self, env: Environment, deliveries: Deliveries, delete_requests: FlowDeleteRequests, copies: Copies
    ) -> None:
        self._env = env
        self._jobs = Jobs(env)
        self._deliveries = deliveries
        self._delete_requests = delete_requests
        self._copies = copies

    def backlog(self) -> Backlog:
        """Return how much work there is now."""
        with self._env.engine.read() as tx:
            pending = tx.select(
                "events", equals(pending=True), order=("position",), limit=COUNTED, columns=["position"]
            )
        oldest = pending[0]["position"] // 1000 if pending else None
        return Backlog(self._jobs.counts(), len(pending), oldest)

    def list_jobs(self, state: JobState | None = None) -> list[dict[str, Any]]:
        """Return every job, or every job in one state, oldest first.

        The member `about` of each describes what the job is for, without secrets.
        """
        documents = self._jobs.list_jobs(state)
        with self._env.engine.read() as tx:
            return [document | {"about": _describe(tx, document["kind"], document["key"])} for document in documents]

    def retry(self, kind: JobKind, key: str) -> None:
        """Make a job due now. Raises: NotFound."""
        self._jobs.retry(kind, key)

    def retry_failed(self) -> int:
        """Make all permanently failed jobs due now. Returns their number."""
        failed = self._jobs.list_jobs("failed")
        for document in failed:
            self.retry(document["kind"], document["key"])
        return len(failed)

    def discard(self, kind: JobKind, key: str) -> str:
        """Discard a job. Returns a clause that says what follows from it.

        Raises: NotFound; Invalid for a copy in progress, since bytes written afterwards would be left behind.
        """
        claim = self._seize(kind, key)
        if kind == FLOW_DELETION:
            self._delete_requests.mark_failed(key, _DISCARDED)
            self._finish(claim)
            return "its delete request has the status error; segments that were not deleted yet are kept"
        if kind == COPY:
            self._copies.abandon(claim)
            return "any bytes already copied will be removed"
        if kind == SEGMENT_EVENTS:
            self._finish(claim)
            return "no more events are sent about the segments of the restored flow"
        if kind == DELIVERY:
            return f"{self._drop_queued_events(claim)} events are not sent to this webhook; later events are"
        return f"{self._drop_garbage(claim)} objects keep their bytes there; 'tams-server check' finds them"

    @retried
    def _seize(self, kind: JobKind, key: str) -> Claim:
        """Claim a job, even if a worker holds it."""
        with self._env.engine.write() as tx:
            row = tx.get("jobs", kind=kind, key=key)
            if row is None:
                raise NotFound(f"there is no job {kind} {key}", code=error_codes.JOB_NOT_FOUND)
            if kind == COPY and row["token"] is not None and (row["due"] or 0) > self._env.clock():
                raise Invalid(
                    f"job {kind} {key} is being worked on, and a running copy cannot be stopped; wait until it ends",
                    code=error_codes.JOB_RUNNING,
                )
            tx.delete("jobs", equals(kind=kind, key=key))
            return self._jobs.start(tx, "operator", kind, key, row["doc"])

    @retried
    def _finish(self, claim: Claim) -> None:
        with self._env.engine.write() as tx:
            self._jobs.finish(tx, claim)

    def _drop_queued_events(self, claim: Claim) -> int:
        """Drop the deliveries queued for a webhook so far, and return their number. Later ones keep the job."""
        last = self._last_delivery(claim.key)
        dropped = 0
        while last is not None:
            batch = self._deliveries.next_batch(claim.key, _BATCH)
            old = [each for each in batch if (each.position, each.event_id) <= (last.position, last.event_id)]
            self._deliveries.drop(claim, old)
            dropped += len(old)
            if len(old) < _BATCH:
                break
        if not self._deliveries.finish_if_empty(claim):
            self._jobs.release(claim)
        return dropped

    def _last_delivery(self, webhook_id: str) -> Delivery | None:
        order = ("webhook_id", "position", "event_id")
        with self._env.engine.read() as tx:
            rows = tx.select("deliveries", equals(webhook_id=webhook_id), order=order, descending=True, limit=1)
        return Delivery(**rows[0]) if rows else None

    def _drop_garbage(self, claim: Claim) -> int:
        """Drop all removals scheduled for a storage backend, and return their number."""
        dropped = 0
        while count := self._drop_garbage_batch(claim):
            dropped += count
        return dropped

    @retried
    def _drop_garbage_batch(self, claim: Claim) -> int:
        """Drop a batch of removals, and return its size. Finishes the job when there are none left."""
        at_backend = equals(storage_id=claim.key)
        with self._env.engine.write() as tx:
            tx.lock(byte_removal.LOCK)
            self._jobs.renew_within(tx, claim)
            rows = tx.select("garbage", at_backend, order=("object_id",), limit=_BATCH, columns=["object_id"])
            if rows:
                tx.delete("garbage", [*at_backend, In("object_id", [row["object_id"] for row in rows])])
            else:
                self._jobs.finish(tx, claim)
        return len(rows)


def _describe(tx: Reader, kind: JobKind, key: str) -> dict[str, Any]:
    if kind == DELIVERY:
        return _describe_delivery(tx, key)
    if kind == FLOW_DELETION:
        row = tx.get("deletion_requests", id=key)
        return {} if row is None else {"flow": row["flow_id"], "remaining": row["doc"]["timerange_remaining"]}
    if kind == SEGMENT_EVENTS:
        return {"flow": key}
    if kind == REMOVAL:
        rows = tx.select("garbage", equals(storage_id=key), limit=COUNTED, columns=["object_id"])
        return {"backend": key, "objects": len(rows)}
    storage_id, _, object_id = key.partition(" ")
    return {"object": object_id, "backend": storage_id}


def _describe_delivery(tx: Reader, webhook_id: str) -> dict[str, Any]:
    waiting = tx.select("deliveries", equals(webhook_id=webhook_id), limit=COUNTED, columns=["event_id"])
    hook = tx.get("webhooks", id=webhook_id)
    about: dict[str, Any] = {"events": len(waiting)}
    if hook is not None:
        about |= {"webhook": url_without_secrets(hook["url"]), "status": hook["status"]}
        if hook["failing_since"] is not None:
            about["failing_since"] = rfc3339(hook["failing_since"])
    return about


def url_without_secrets(url: str) -> str:
    """Return a URL without the parts that may hold a secret: user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return "(a malformed URL)"
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{port}{parts.path}"
