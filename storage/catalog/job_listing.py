"""Pages of background jobs, for operators.

Jobs are listed in the order of their primary key, so that a page costs the same however many there are. Page keys hold
the last job's kind and key. The key of a copy may be too long for a page key, which then holds its beginning and a
digest by which the job is recognised among those that begin like it. Should it be gone, jobs that begin like it may be
repeated, but none is skipped.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from storage.catalog.environment import Environment
from storage.catalog.job_kinds import COPY, DELIVERY, FLOW_DELETION, SEGMENT_EVENTS, JobState
from storage.catalog.job_states import job_document, state_of
from storage.catalog.paging import (
    PAGE_KEY_TEXT,
    Page,
    PageRequest,
    beginning_of,
    decode_page_key,
    encode_page_key,
    unknown_page_key,
)
from storage.tables.conditions import equals
from storage.tables.rows import JobKind, JobRow
from storage.tables.transaction import Reader

_LISTING: Final = "jobs"
_ORDER: Final = ("kind", "key")
_COLUMNS: Final = (*_ORDER, "due", "token", "worker", "attempts", "created", "error")
_SCANNED: Final = 5_000
"""How many jobs one page looks at; it is shorter, and has a next page, if too few of them have the wanted state."""
_SEARCHED: Final = 5_000
"""Among how many jobs that begin alike the last one of the page before is searched."""
_DIGEST_BYTES: Final = 10


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list. None for all."""

    kind: JobKind | None = None
    state: JobState | None = None


class JobListing:
    def __init__(self, env: Environment) -> None:
        self._env = env

    def page(self, filters: JobFilter, request: PageRequest) -> Page:
        """Return a page of jobs, by kind and key. Fewer than the limit may come although there is a next page.

        Raises: Invalid for a page key that this listing did not issue.
        """
        size, now = request.size(self._env.limits), self._env.clock()
        found: list[JobRow] = []
        last: JobRow | None = None
        more = False
        with self._env.engine.read() as tx:
            for scanned, row in enumerate(_rows(tx, filters, _start(tx, request), size + 1)):
                more = len(found) == size or scanned == _SCANNED
                if more:
                    break
                last = row
                if filters.state in (None, state_of(row, now)):
                    found.append(row)
        key = _page_key(last) if more and last is not None else None
        return Page([_document(row, now) for row in found], size, request.reverse, key)


def _rows(tx: Reader, filters: JobFilter, after: list[str] | None, batch: int) -> Iterator[JobRow]:
    """Yield the jobs of a kind after a position, read in batches."""
    where = () if filters.kind is None else equals(kind=filters.kind)
    while True:
        rows = tx.select("jobs", where, order=_ORDER, after=after, limit=batch, columns=_COLUMNS)
        yield from rows
        if len(rows) < batch:
            return
        after = [rows[-1]["kind"], rows[-1]["key"]]


def _start(tx: Reader, request: PageRequest) -> list[str] | None:
    """The kind and key of the last job before the page; None for the first page. Raises: Invalid."""
    if request.key is None:
        return None
    match decode_page_key(request.key, _LISTING):
        case [str(kind), str(key)] if "\0" not in kind + key:
            return [kind, key]
        case [str(kind), str(beginning), str(digest)] if "\0" not in kind + beginning:
            rows = tx.select(
                "jobs", equals(kind=kind), order=_ORDER, after=[kind, beginning], limit=_SEARCHED, columns=_ORDER
            )
            same = (row["key"] for row in rows if _digest(row["key"]) == digest)
            return [kind, next(same, beginning)]
    raise unknown_page_key()


def _page_key(row: JobRow) -> str:
    position = [row["kind"], row["key"]]
    if len(orjson.dumps(position)) > PAGE_KEY_TEXT:
        kind, digest = row["kind"], _digest(row["key"])
        room = PAGE_KEY_TEXT - len(orjson.dumps([kind, "", digest]))
        position = [kind, beginning_of(row["key"], room), digest]
    return encode_page_key(position, _LISTING)


def _digest(key: str) -> str:
    return hashlib.blake2b(key.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def _document(row: JobRow, now: int) -> dict[str, Any]:
    """A job with the ids of what it is for, and without members that have no value."""
    document = job_document(row, now) | _subject(row["kind"], row["key"])
    return {name: value for name, value in document.items() if value is not None}


def _subject(kind: JobKind, key: str) -> dict[str, str]:
    if kind == DELIVERY:
        return {"webhook_id": key}
    if kind == FLOW_DELETION:
        return {"request_id": key}
    if kind == SEGMENT_EVENTS:
        return {"flow_id": key}
    if kind == COPY:
        storage_id, _, object_id = key.partition(" ")
        return {"storage_id": storage_id, "object_id": object_id}
    return {"storage_id": key}
