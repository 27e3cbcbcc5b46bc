"""How long a job may wait until it is due: a pause after a failure, or the lease of the worker that holds it.

Times are those of the clock. Once that has been set back, jobs wait for a time that it has shown before, longer than
any pause or lease: they are brought forward.
"""

from collections.abc import Iterable
from typing import Any, Final

from storage.backoff import Backoff
from storage.catalog.clock import SECOND
from storage.catalog.job_kinds import DELIVERY
from storage.tables.conditions import Compare
from storage.tables.rows import Document, JobKind, JobRow

JOB_BACKOFF: Final = Backoff(first_s=1.0, longest_s=300.0)
"""Pauses after failures of jobs. Those after failed deliveries are set in storage.catalog.webhooks.deliveries."""

_LONGEST_WEBHOOK_PAUSE_S = 86_400
"""The longest pause that a receiver may ask for (tams_server.outbound.delivery_outcome)."""
_PAUSED_AT = "paused_at"
"""In the document of a delivery: when it was released after a failure, in microseconds since 1970."""
_SKEW_S = 10
"""By how many seconds the clocks of two machines may differ."""


def with_pause_noted(kind: JobKind, doc: Document, now: int) -> Document:
    """The document of a job of which a pause begins now. That of a delivery says so; other pauses are short."""
    return {**doc, _PAUSED_AT: now} if kind == DELIVERY else doc


def due_in_the_future(now: int) -> Compare:
    """The condition of jobs that wait, even by the clock of another machine. now: in microseconds since 1970."""
    return Compare("due", ">", now + _SKEW_S * SECOND)


def brought_forward(rows: Iterable[JobRow], now: int, lease_s: int) -> list[tuple[JobRow, dict[str, Any]]]:
    """Those of the jobs that are due later than any pause or lease allows, each with the values to set in it."""
    late: list[tuple[JobRow, dict[str, Any]]] = []
    for row in rows:
        latest = now + _longest_wait(row, now, lease_s)
        if (row["due"] or 0) > latest + _SKEW_S * SECOND:
            doc = {**row["doc"], _PAUSED_AT: now} if _PAUSED_AT in row["doc"] else row["doc"]
            late.append((row, {"due": latest, "doc": doc}))
    return late


def _longest_wait(row: JobRow, now: int, lease_s: int) -> int:
    """How many microseconds from now a job may be due at most."""
    paused_at = row["doc"].get(_PAUSED_AT)
    if row["token"] is None and paused_at is not None and paused_at > now:
        return max((row["due"] or 0) - int(paused_at), 0)  # the pause begins again, as long as it was
    return _longest_wait_s(row, lease_s) * SECOND


def _longest_wait_s(row: JobRow, lease_s: int) -> int:
    """How many seconds from now a job may be due at most."""
    if row["token"] is not None:
        return lease_s
    if row["attempts"] == 0:
        return 0
    return _LONGEST_WEBHOOK_PAUSE_S if row["kind"] == DELIVERY else int(JOB_BACKOFF.longest_s)
