"""The states of jobs, as operators see them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from storage.catalog.clock import rfc3339
from storage.catalog.job_kinds import KINDS, JobState
from storage.tables.rows import JobRow


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of jobs of one kind, by state. oldest: when the oldest was created, in microseconds since 1970."""

    waiting: int = 0
    running: int = 0
    failed: int = 0
    oldest: int | None = None


def state_of(row: JobRow, now: int) -> JobState:
    """The state of a job. now: in microseconds since 1970."""
    if row["due"] is None:
        return "failed"
    return "running" if row["token"] is not None and row["due"] > now else "waiting"


def job_document(row: JobRow, now: int) -> dict[str, Any]:
    """A job as a document for an operator. now: in microseconds since 1970."""
    return {
        "kind": row["kind"],
        "key": row["key"],
        "state": state_of(row, now),
        "created": rfc3339(row["created"]),
        "due": None if row["due"] is None else rfc3339(row["due"]),
        "worker": row["worker"],
        "attempts": row["attempts"],
        "error": row["error"],
    }


def count_by_kind(rows: Iterable[JobRow], now: int) -> dict[str, Counts]:
    """The number of jobs by kind and state."""
    states: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    oldest: dict[str, int] = {}
    for row in rows:
        states.setdefault(row["kind"], Counter())[state_of(row, now)] += 1
        oldest[row["kind"]] = min(row["created"], oldest.get(row["kind"], row["created"]))
    return {kind: Counts(**of_kind, oldest=oldest.get(kind)) for kind, of_kind in states.items()}
