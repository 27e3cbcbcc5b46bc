"""Add work for workers, in the transaction that makes it necessary (storage.catalog.jobs)."""

from collections.abc import Collection
from typing import Any

from storage.catalog.job_states import state_of
from storage.tables.conditions import In, equals
from storage.tables.rows import JobKind
from storage.tables.transaction import Writer


def enqueue(tx: Writer, now: int, kind: JobKind, keys: Collection[str], doc: dict[str, Any] | None = None) -> None:
    """Add jobs that are due at `now` (microseconds since 1970), except those that exist already. doc: of each."""
    existing = {row["key"] for row in tx.select("jobs", [*equals(kind=kind), In("key", list(keys))], columns=["key"])}
    added = [key for key in keys if key not in existing]
    tx.insert(
        "jobs",
        [{"kind": kind, "key": key, "due": now, "attempts": 0, "created": now, "doc": doc or {}} for key in added],
    )


def make_due(tx: Writer, now: int, kind: JobKind, key: str, doc: dict[str, Any] | None = None) -> None:
    """Make a job due at `now` and clear its failures; add it if it does not exist. A running job stays with its worker.

    doc: replaces the document of the job, even of one that is running; None leaves it as it is.
    """
    row = tx.get("jobs", kind=kind, key=key)
    if row is None:
        enqueue(tx, now, kind, [key], doc)
        return
    values: dict[str, Any] = {} if doc is None else {"doc": doc}
    if state_of(row, now) != "running":
        values |= {"due": now, "attempts": 0, "error": None, "token": None, "worker": None}
    if values:
        tx.update("jobs", equals(kind=kind, key=key), values)
