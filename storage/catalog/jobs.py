"""Background jobs: work that takes longer than one transaction, held by workers under a lease.

The transaction that makes work necessary adds a row to the table of jobs (job_queue). A worker claims it, renews its
lease while it works, and finishes it. If the worker dies, the lease expires and another worker resumes the job. Every
claim has a new token, so that a worker that has lost its lease cannot change the job: each step of a job begins with
`Jobs.renew_within`, which then raises LeaseLost.

Times are those of the clock, which may be set. Forwards, a job may be claimed although its worker is alive, which then
loses its lease. Backwards, `Jobs.undo_clock_steps` brings forward what would wait for the time that the clock showed.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage import error_codes
from storage.backoff import Backoff
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.job_kinds import KINDS_THAT_GIVE_UP, JobState
from storage.catalog.job_queue import make_due
from storage.catalog.job_states import Counts, count_by_kind, job_document
from storage.catalog.job_waits import JOB_BACKOFF, brought_forward, due_in_the_future, with_pause_noted
from storage.catalog.retry import retried
from storage.errors import NotFound
from storage.tables.conditions import Compare, Condition, In, equals
from storage.tables.limits import MESSAGE, clip
from storage.tables.rows import JobKind, JobRow
from storage.tables.transaction import Reader, Writer


@dataclass(frozen=True, slots=True)
class JobSelection:
    """At most `limit` of the jobs that meet `where`."""

    where: Sequence[Condition]
    limit: int


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """A job that can be claimed. attempts: how many times in a row it has failed."""

    kind: JobKind
    key: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A job held by one worker. attempts: how many times in a row it has failed."""

    kind: JobKind
    key: str
    token: str
    attempts: int
    doc: dict[str, Any]

    @property
    def where(self) -> tuple[Condition, ...]:
        """Conditions that match the job's row only while this claim holds it."""
        return equals(kind=self.kind, key=self.key, token=self.token)


class LeaseLost(Exception):
    """The worker no longer holds the job: its lease expired and another worker claimed it, or it was discarded."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(f"{claim.kind} {claim.key}")


class Jobs:
    def __init__(self, env: Environment) -> None:
        self._env = env

    @property
    def lease_s(self) -> int:
        return self._env.limits.job_lease_s

    def waiting(self, tx: Reader, kinds: Sequence[JobKind], limit: int) -> list[WaitingJob]:
        """Return jobs that can be claimed, longest overdue first."""
        rows = tx.select("jobs", [In("kind", kinds), self._due()], order=("due",), limit=limit)
        return [WaitingJob(row["kind"], row["key"], row["attempts"]) for row in rows]

    @retried
    def claim(self, worker: str, selections: Sequence[JobSelection], held: frozenset[str] = frozenset()) -> list[Claim]:
        """Claim due jobs for `worker`, longest overdue first. Jobs that others are claiming right now are skipped.

        held: tokens of the jobs that it has. If it could not renew their leases in time, because the database is slow,
        it goes on with them as long as no other worker takes them over.
        """
        claims = []
        with self._env.engine.write() as tx:
            for selection in selections:
                claims += [self._take(tx, worker, row) for row in self._claimable(tx, selection, held)]
        return claims

    def _claimable(self, tx: Writer, selection: JobSelection, held: frozenset[str]) -> list[JobRow]:
        where, limit = [*selection.where, self._due()], selection.limit
        rows = tx.select_unlocked("jobs", where, order=("due",), limit=limit)
        if any(row["token"] in held for row in rows):
            rows = tx.select_unlocked("jobs", where, order=("due",), limit=limit + len(held))
        return [row for row in rows if row["token"] not in held][:limit]

    def _take(self, tx: Writer, worker: str, row: JobRow) -> Claim:
        attempts = row["attempts"] + (row["token"] is not None)  # an expired lease counts as a failure
        claim = Claim(row["kind"], row["key"], uuid.uuid4().hex, attempts, row["doc"])
        values = {"token": claim.token, "worker": worker, "due": self._lease_end(), "attempts": attempts}
        tx.update("jobs", equals(kind=claim.kind, key=claim.key), values)
        return claim

    def start(self, tx: Writer, worker: str, kind: JobKind, key: str, doc: dict[str, Any]) -> Claim:
        """Add a job that `worker` holds from the start."""
        claim = Claim(kind, key, uuid.uuid4().hex, 0, doc)
        row: JobRow = {
            "kind": kind,
            "key": key,
            "due": self._lease_end(),
            "token": claim.token,
            "worker": worker,
            "attempts": 0,
            "created": self._env.clock(),
            "doc": doc,
        }
        tx.insert("jobs", [row])
        return claim

    def renew_within(self, tx: Writer, claim: Claim) -> int:
        """Renew the lease as the first step of a transaction of the job.

        Returns the end of the lease in microseconds since 1970. Raises: LeaseLost.
        """
        end = self._lease_end()
        if not tx.update("jobs", claim.where, {"due": end}):
            raise LeaseLost(claim)
        return end

    @retried
    def renew(self, claim: Claim) -> None:
        """Renew the lease between two transactions of the job. Raises: LeaseLost."""
        with self._env.engine.write() as tx:
            self.renew_within(tx, claim)

    @retried
    def heartbeat(self, claims: Sequence[Claim]) -> None:
        """Renew the leases of all jobs that a worker holds. Lost leases are skipped."""
        with self._env.engine.write() as tx:
            for claim in claims:
                tx.update("jobs", claim.where, {"due": self._lease_end()})

    @retried
    def undo_clock_steps(self) -> None:
        """Bring forward jobs that are due later than any pause or lease allows, since the clock has been set back.

        A worker that is alive loses no lease by this. To be called periodically, by any number of workers.
        """
        now = self._env.clock()
        columns = ["kind", "key", "due", "token", "attempts", "doc"]
        with self._env.engine.read_once() as tx:
            rows = tx.select("jobs", [due_in_the_future(now)], columns=columns)
        late = brought_forward(rows, now, self.lease_s)
        if late:
            with self._env.engine.write() as tx:
                for row, values in late:
                    tx.update("jobs", equals(kind=row["kind"], key=row["key"], due=row["due"]), values)

    def require_lease(self, tx: Reader, claim: Claim) -> float:
        """Return how many seconds of the lease are left. Raises LeaseLost if there are none, or another worker's."""
        now = self._env.clock()
        for row in tx.select("jobs", [*claim.where, Compare("due", ">", now)], limit=1, columns=["due"]):
            return float((row["due"] or now) - now) / SECOND
        raise LeaseLost(claim)

    def save_doc(self, tx: Writer, claim: Claim, doc: dict[str, Any]) -> None:
        """Renew the lease, and replace the document of the job. Raises: LeaseLost."""
        if not tx.update("jobs", claim.where, {"due": self._lease_end(), "doc": doc}):
            raise LeaseLost(claim)

    def clear_failures(self, tx: Writer, claim: Claim) -> None:
        """Renew the lease and reset the count of failures. Raises: LeaseLost."""
        if not tx.update("jobs", claim.where, {"due": self._lease_end(), "attempts": 0, "error": None}):
            raise LeaseLost(claim)

    def finish(self, tx: Writer, claim: Claim) -> None:
        """Delete the completed job. Raises: LeaseLost."""
        if not tx.delete("jobs", claim.where):
            raise LeaseLost(claim)

    @retried
    def release(self, claim: Claim) -> None:
        """Release the job so that any worker can resume it immediately."""
        with self._env.engine.write() as tx:
            values = {"due": self._env.clock(), "token": None, "worker": None, "attempts": 0, "error": None}
            tx.update("jobs", claim.where, values)

    def retry_later(
        self, tx: Writer, claim: Claim, error: str, *, backoff: Backoff | None = JOB_BACKOFF, min_pause_s: float = 0.0
    ) -> None:
        """Count a failure and release the job until a pause has passed.

        backoff: sets the pause by the number of failures; None for no pause. min_pause_s: the least pause in seconds.
        Raises: LeaseLost.
        """
        row = self._row(tx, claim)
        pause_s = 0.0 if backoff is None else max(backoff.pause_s(row["attempts"]), min_pause_s)
        now = self._env.clock()
        doc = with_pause_noted(claim.kind, row["doc"], now)
        self._end_attempt(tx, claim, row["attempts"] + 1, error, now + int(pause_s * SECOND), doc=doc)

    @retried
    def postpone(self, claim: Claim) -> None:
        """Release a job that has lost races against other writers, to be resumed after a short pause.

        That is no failure, so that it neither makes later pauses longer nor counts towards giving the job up.
        """
        with self._env.engine.write() as tx:
            due = self._env.clock() + int(JOB_BACKOFF.pause_s(0) * SECOND)
            tx.update("jobs", claim.where, {"due": due, "token": None, "worker": None})

    @retried
    def fail(self, claim: Claim, error: str) -> bool:
        """Count a failure, and retry the job later unless it has failed too many times.

        Returns whether it will be retried automatically. Raises: LeaseLost.
        """
        with self._env.engine.write() as tx:
            attempts = self._row(tx, claim)["attempts"] + 1
            gives_up = claim.kind in KINDS_THAT_GIVE_UP and attempts >= self._env.limits.job_attempts
            if gives_up:
                self._end_attempt(tx, claim, attempts, error, None)
            else:
                self.retry_later(tx, claim, error)
        return not gives_up

    def _row(self, tx: Reader, claim: Claim) -> JobRow:
        rows = tx.select("jobs", claim.where, limit=1, columns=["attempts", "doc"])
        if not rows:
            raise LeaseLost(claim)
        return rows[0]

    @staticmethod
    def _end_attempt(tx: Writer, claim: Claim, attempts: int, error: str, due: int | None, **values: Any) -> None:
        values |= {"due": due, "token": None, "worker": None, "attempts": attempts, "error": clip(error, MESSAGE)}
        tx.update("jobs", claim.where, values)

    def counts(self) -> dict[str, Counts]:
        """Return the number of jobs by kind and state."""
        now = self._env.clock()
        with self._env.engine.read() as tx:
            rows = tx.select("jobs", columns=["kind", "due", "token", "created"])
        return count_by_kind(rows, now)

    def list_jobs(self, state: JobState | None = None) -> list[dict[str, Any]]:
        """Return every job, or every job in one state, oldest first, as documents for an operator."""
        now = self._env.clock()
        with self._env.engine.read() as tx:
            rows = tx.select("jobs", order=("created", "kind", "key"))
        documents = [job_document(row, now) for row in rows]
        return [document for document in documents if state is None or document["state"] == state]

    @retried
    def retry(self, kind: JobKind, key: str) -> None:
        """Make a job due now, even if it has failed permanently. Raises: NotFound."""
        with self._env.engine.write() as tx:
            self._require_job(tx, kind, key)
            make_due(tx, self._env.clock(), kind, key)

    @retried
    def discard(self, kind: JobKind, key: str) -> None:
        """Delete a job and leave its work undone. Raises: NotFound."""
        with self._env.engine.write() as tx:
            self._require_job(tx, kind, key)
            tx.delete("jobs", equals(kind=kind, key=key))

    @staticmethod
    def _require_job(tx: Reader, kind: JobKind, key: str) -> None:
        if tx.get("jobs", kind=kind, key=key) is None:
            raise NotFound(f"there is no job {kind} {key}", code=error_codes.JOB_NOT_FOUND)

    def _due(self) -> Condition:
        return Compare("due", "<=", self._env.clock())

    def _lease_end(self) -> int:
        return self._env.clock() + self.lease_s * SECOND
