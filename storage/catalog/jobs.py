"""Work that takes longer than one transaction: rows that workers hold by a lease, one mechanism for all kinds.

Whoever needs work done adds a row in the transaction that makes it necessary. A worker claims it, keeps the lease
alive, and ends it; when the worker dies, the lease runs out and another goes on. A token, new with each claim, tells a
worker that has lost its lease so: every step of a job starts with `keep`, which fails then.
"""

import random
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage.catalog.clock import SECOND, rfc3339
from storage.catalog.environment import Environment
from storage.catalog.retry import retried
from storage.errors import NotFound
from storage.tables.conditions import Compare, Condition, In, equals
from storage.tables.engine import Reader, Row, Writer

DELIVERY = "delivery"
"""Sending a webhook its events; the key is the webhook's id."""
FLOW_DELETION = "flow-deletion"
"""Carrying out a flow delete request; the key is its id."""
REMOVAL = "removal"
"""Removing bytes that nothing names; the key is the backend's id."""
COPY = "copy"
"""Copying an object to a backend; the key names both."""

KINDS = (DELIVERY, FLOW_DELETION, REMOVAL, COPY)
_GIVEN_UP = (FLOW_DELETION, COPY)
"""Kinds that are not tried for ever: somebody is told of their failure. Of the others each stands for all there is to
do for one webhook or backend, which may come back after any time."""
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 300.0


def copy_key(storage_id: str, object_id: str) -> str:
    """The key of a copy."""
    return f"{storage_id} {object_id}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """At most so many of the jobs that meet `where`."""

    where: Sequence[Condition]
    limit: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that one worker holds. attempts: how often it has failed in a row."""

    kind: str
    key: str
    token: str
    attempts: int
    doc: dict[str, Any]

    @property
    def held(self) -> tuple[Condition, ...]:
        return equals(kind=self.kind, key=self.key, token=self.token)


class LostLease(Exception):
    """This worker no longer holds the job: it took too long to say that it is alive, or the job was discarded."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(f"{claim.kind} {claim.key}")


@dataclass(frozen=True, slots=True)
class Counts:
    """Jobs of one kind. oldest: microseconds since 1970 at which the oldest was made."""

    waiting: int = 0
    running: int = 0
    failed: int = 0
    oldest: int | None = None


def pause_s(attempts: int) -> float:
    """Seconds to wait before the next try, longer each time and never twice the same."""
    spread = random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    return spread * min(_FIRST_PAUSE_S * 2.0 ** min(attempts, 30), _LONGEST_PAUSE_S)


def ensure(tx: Writer, now: int, kind: str, keys: Collection[str]) -> None:
    """Have these jobs done, where they are not waiting already."""
    there = {row["key"] for row in tx.select("jobs", [*equals(kind=kind), In("key", list(keys))], columns=["key"])}
    common = {"kind": kind, "due": now, "attempts": 0, "created": now, "doc": {}}
    tx.insert("jobs", [{**common, "key": key} for key in keys if key not in there])


def wake(tx: Writer, now: int, kind: str, key: str) -> None:
    """Have this job done at once, even if it has failed before. One that a worker holds is left to it."""
    row = tx.get("jobs", kind=kind, key=key)
    if row is None:
        ensure(tx, now, kind, [key])
    elif _state(row, now) != "running":
        values = {"due": now, "attempts": 0, "error": None, "token": None, "worker": None}
        tx.update("jobs", equals(kind=kind, key=key), values)


class Jobs:
    def __init__(self, env: Environment) -> None:
        self._env = env

    @property
    def lease_s(self) -> int:
        return self._env.limits.job_lease_s

    def waiting(self, tx: Reader, kinds: Sequence[str], limit: int) -> list[Row]:
        """Jobs that may be claimed, the longest due first."""
        return tx.select("jobs", [In("kind", kinds), self._due()], order=("due",), limit=limit)

    @retried
    def claim(self, worker: str, wanted: Sequence[Wanted]) -> list[Claim]:
        """Take jobs that may be claimed, the longest due first. Those that others are just taking are left to them."""
        claims = []
        with self._env.engine.write() as tx:
            for each in wanted:
                rows = tx.select_unlocked("jobs", [*each.where, self._due()], order=("due",), limit=each.limit)
                claims += [self._take(tx, worker, row) for row in rows]
        return claims

    def _take(self, tx: Writer, worker: str, row: Row) -> Claim:
        attempts = row["attempts"] + (row["token"] is not None)  # one that let go of it counts as a failure
        claim = Claim(row["kind"], row["key"], uuid.uuid4().hex, attempts, row["doc"])
        values = {"token": claim.token, "worker": worker, "due": self._lease_end(), "attempts": attempts}
        tx.update("jobs", equals(kind=claim.kind, key=claim.key), values)
        return claim

    def start(self, tx: Writer, worker: str, kind: str, key: str, doc: dict[str, Any]) -> Claim:
        """A new job, held from the start by the one who makes it."""
        claim = Claim(kind, key, uuid.uuid4().hex, 0, doc)
        row = {"kind": kind, "key": key, "token": claim.token, "worker": worker, "attempts": 0, "doc": doc}
        tx.insert("jobs", [{**row, "created": self._env.clock(), "due": self._lease_end()}])
        return claim

    def keep(self, tx: Writer, claim: Claim) -> int:
        """The first step of each transaction of a job: renew the lease; its new end. Raises LostLease."""
        end = self._lease_end()
        if not tx.update("jobs", claim.held, {"due": end}):
            raise LostLease(claim)
        return end

    @retried
    def renew(self, claim: Claim) -> None:
        """Renew the lease of a job between two of its transactions. Raises LostLease."""
        with self._env.engine.write() as tx:
            self.keep(tx, claim)

    def succeeded(self, tx: Writer, claim: Claim) -> None:
        """Forget earlier failures. Raises LostLease."""
        if not tx.update("jobs", claim.held, {"due": self._lease_end(), "attempts": 0, "error": None}):
            raise LostLease(claim)

    def check(self, tx: Reader, claim: Claim) -> None:
        """Raises LostLease unless the worker still holds the job."""
        if not tx.select("jobs", [*claim.held, Compare("due", ">", self._env.clock())], limit=1, columns=["key"]):
            raise LostLease(claim)

    @retried
    def heartbeat(self, claims: Sequence[Claim]) -> None:
        """Renew the leases of all jobs that this worker holds."""
        with self._env.engine.write() as tx:
            for claim in claims:
                tx.update("jobs", claim.held, {"due": self._lease_end()})

    def finish(self, tx: Writer, claim: Claim) -> None:
        """Forget the job, which is done. Raises LostLease."""
        if not tx.delete("jobs", claim.held):
            raise LostLease(claim)

    @retried
    def release(self, claim: Claim) -> None:
        """Give the job back, to be gone on with by any worker at once."""
        with self._env.engine.write() as tx:
            values = {"due": self._env.clock(), "token": None, "worker": None, "attempts": 0, "error": None}
            tx.update("jobs", claim.held, values)

    def postpone(self, tx: Writer, claim: Claim, error: str, least_s: float | None = 0) -> None:
        """Give the job back, to be tried again after a pause that grows with its failures, and is at least `least_s`;
        None: at once. Raises LostLease."""
        attempts = self._attempts(tx, claim)
        pause = 0 if least_s is None else max(pause_s(attempts), least_s)
        due = self._env.clock() + int(pause * SECOND)
        self._fail(tx, claim, attempts + 1, error, due)

    @retried
    def fail(self, claim: Claim, error: str) -> bool:
        """Put the job off after a failure. False when it has failed so often that it is not tried again by itself.

        Raises LostLease.
        """
        with self._env.engine.write() as tx:
            attempts = self._attempts(tx, claim) + 1
            last = claim.kind in _GIVEN_UP and attempts >= self._env.limits.job_attempts
            if last:
                self._fail(tx, claim, attempts, error, None)
            else:
                self.postpone(tx, claim, error)
        return not last

    def _attempts(self, tx: Reader, claim: Claim) -> int:
        rows = tx.select("jobs", claim.held, limit=1, columns=["attempts"])
        if not rows:
            raise LostLease(claim)
        attempts: int = rows[0]["attempts"]
        return attempts

    @staticmethod
    def _fail(tx: Writer, claim: Claim, attempts: int, error: str, due: int | None) -> None:
        values = {"due": due, "token": None, "worker": None, "attempts": attempts, "error": error}
        tx.update("jobs", claim.held, values)

    def counts(self) -> dict[str, Counts]:
        """How many jobs there are, by kind and state."""
        now = self._env.clock()
        with self._env.engine.read() as tx:
            rows = tx.select("jobs", columns=["kind", "due", "token", "created"])
        found: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        oldest: dict[str, int] = {}
        for row in rows:
            found.setdefault(row["kind"], Counter())[_state(row, now)] += 1
            oldest[row["kind"]] = min(row["created"], oldest.get(row["kind"], row["created"]))
        return {kind: Counts(**states, oldest=oldest.get(kind)) for kind, states in found.items()}

    def listed(self, state: str | None = None) -> list[dict[str, Any]]:
        """Every job, or those in one state, the oldest first, as documents for people to read."""
        now = self._env.clock()
        with self._env.engine.read() as tx:
            rows = tx.select("jobs", order=("created", "kind", "key"))
        documents = [_document(row, now) for row in rows]
        return [document for document in documents if state is None or document["state"] == state]

    @retried
    def retry(self, kind: str, key: str) -> None:
        """Have a job tried again at once. Raises NotFound."""
        with self._env.engine.write() as tx:
            self._check_there(tx, kind, key)
            wake(tx, self._env.clock(), kind, key)

    @retried
    def discard(self, kind: str, key: str) -> None:
        """Give a job up. What it was to do stays undone. Raises NotFound."""
        with self._env.engine.write() as tx:
            self._check_there(tx, kind, key)
            tx.delete("jobs", equals(kind=kind, key=key))

    def _check_there(self, tx: Reader, kind: str, key: str) -> None:
        if tx.get("jobs", kind=kind, key=key) is None:
            raise NotFound(f"there is no job {kind} {key}")

    def _due(self) -> Condition:
        return Compare("due", "<=", self._env.clock())

    def _lease_end(self) -> int:
        return self._env.clock() + self.lease_s * SECOND


def _state(row: Mapping[str, Any], now: int) -> str:
    if row["due"] is None:
        return "failed"
    return "running" if row["token"] is not None and row["due"] > now else "waiting"


def _document(row: Row, now: int) -> dict[str, Any]:
    return {
        "kind": row["kind"],
        "key": row["key"],
        "state": _state(row, now),
        "created": rfc3339(row["created"]),
        "due": None if row["due"] is None else rfc3339(row["due"]),
        "worker": row["worker"],
        "attempts": row["attempts"],
        "error": row["error"],
    }
