"""How many requests broke the published schemas, by day, operation, schema path and principal (F23).

Processes count in memory (tams_server.http.violation_log) and add what they have counted from time to time. Rows are
bounded: a day has DAY_ROWS of them, of which one principal has PRINCIPAL_ROWS. What has no room is counted together.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from storage.catalog.clock import SECOND, rfc3339
from storage.catalog.environment import Environment
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.retry import retried
from storage.tables.conditions import Compare, Condition, equals
from storage.tables.limits import NAME, ROLE, clip
from storage.tables.rows import ViolationOutcome, ViolationRow
from storage.tables.transaction import Writer

DAY_ROWS: Final = 2_000
PRINCIPAL_ROWS: Final = 500
_DAY_S: Final = 86_400
_EPOCH: Final = date(1970, 1, 1)
_LOCK: Final = "violations"
_BATCH: Final = 1_000
_ORDER: Final = Order(("day", "id"), descending=True)


Outcome = ViolationOutcome
"""What became of a request that broke a schema."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What is counted: requests of one operation, by one principal, that broke one rule of a schema.

    outcome: what became of them. schema_path: a pointer into the document of the API.
    """

    outcome: Outcome
    operation: str
    schema_path: str
    principal: str


@dataclass(frozen=True, slots=True)
class Seen:
    """How often, and when first and last, in microseconds since 1970."""

    requests: int
    first: int
    last: int

    def plus(self, other: "Seen") -> "Seen":
        """Return both together."""
        return Seen(self.requests + other.requests, min(self.first, other.first), max(self.last, other.last))


Counts = Mapping[tuple[int, Violation], Seen]
"""By day, in days since 1970, and by violation."""


def day_of(moment: int) -> int:
    """Return the day of a moment, in days since 1970. moment: microseconds since 1970."""
    return moment // (_DAY_S * SECOND)


def others(outcome: Outcome) -> Violation:
    """Return what counts the violations that have no room of their own."""
    return Violation(outcome, "", "", "")


@dataclass(frozen=True, slots=True)
class ViolationFilter:
    """Which counts to return. since, until: days, both included. All others are compared with one value."""

    since: date | None = None
    until: date | None = None
    outcome: str | None = None
    operation: str | None = None
    schema_path: str | None = None
    principal: str | None = None

    def conditions(self) -> list[Condition]:
        found: list[Condition] = []
        if self.since is not None:
            found.append(Compare("day", ">=", (self.since - _EPOCH).days))
        if self.until is not None:
            found.append(Compare("day", "<=", (self.until - _EPOCH).days))
        values = {name: getattr(self, name) for name in ("outcome", "operation", "schema_path", "principal")}
        return [*found, *equals(**{name: value for name, value in values.items() if value is not None})]


class Violations:
    """The counts of all processes."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    @retried
    def add(self, counts: Counts) -> None:
        """Add to the counts, in one transaction for all days."""
        with self._env.engine.write() as tx:
            tx.lock(_LOCK)
            for day in sorted({day for day, _ in counts}):
                _add_day(tx, day, {what: seen for (of, what), seen in counts.items() if of == day})

    def page(self, filters: ViolationFilter, request: PageRequest) -> Page:
        """Return a page of the counts, the latest day first."""
        size = request.size(self._env.limits)
        with self._env.engine.read() as tx:
            rows, next_key = select_page(tx, "violations", filters.conditions(), _ORDER, request, size)
        return Page([_document(row) for row in rows], size, request.reverse, next_key)

    def each(self, filters: ViolationFilter) -> Iterator[dict[str, Any]]:
        """Yield all counts, the latest day first, read in pages."""
        request = PageRequest(_BATCH)
        while True:
            page = self.page(filters, request)
            yield from page.items
            if page.next_key is None:
                return
            request = PageRequest(_BATCH, page.next_key)

    @retried
    def remove_expired(self, now: int) -> bool:
        """Remove a batch of the counts of days that are no longer kept. Return whether there were any."""
        expired = [Compare("day", "<", day_of(now) - self._env.limits.violation_days)]
        with self._env.engine.read_once() as tx:
            rows = tx.select("violations", expired, order=("day", "id"), limit=_BATCH, columns=["day", "id"])
        if not rows:
            return False
        with self._env.engine.write() as tx:
            tx.lock(_LOCK)
            for row in rows:
                tx.delete("violations", equals(id=row["id"]))
        return True


def _add_day(tx: Writer, day: int, counts: Mapping[Violation, Seen]) -> None:
    stored = {row["id"]: row for row in tx.select("violations", equals(day=day), limit=DAY_ROWS + 2)}
    rows, rows_of = len(stored), Counter(row["principal"] for row in stored.values())
    merged: dict[Violation, Seen] = {}
    for what, seen in counts.items():
        violation = _storable(what)
        if _id(day, violation) not in stored and violation not in merged:
            if rows < DAY_ROWS and rows_of[violation.principal] < PRINCIPAL_ROWS:
                rows += 1
                rows_of[violation.principal] += 1
            else:
                violation = others(violation.outcome)
        merged[violation] = merged[violation].plus(seen) if violation in merged else seen
    new = {what: seen for what, seen in merged.items() if _id(day, what) not in stored}
    tx.insert("violations", [_row(day, what, seen) for what, seen in new.items()], fresh=True)
    changes = []
    for what, seen in merged.items():
        row = stored.get(_id(day, what))
        if row is not None:
            total = Seen(row["requests"], row["first_seen"], row["last_seen"]).plus(seen)
            changes.append({"id": row["id"], **_columns(total)})
    tx.update_rows("violations", changes)


def _storable(what: Violation) -> Violation:
    return Violation(what.outcome, clip(what.operation, NAME), clip(what.schema_path, ROLE), clip(what.principal, NAME))


def _id(day: int, what: Violation) -> str:
    parts: Sequence[str] = (str(day), what.outcome, what.operation, what.schema_path, what.principal)
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=20).hexdigest()


def _columns(seen: Seen) -> dict[str, int]:
    return {"requests": seen.requests, "first_seen": seen.first, "last_seen": seen.last}


def _row(day: int, what: Violation, seen: Seen) -> ViolationRow:
    return {
        "id": _id(day, what),
        "day": day,
        "outcome": what.outcome,
        "operation": what.operation,
        "schema_path": what.schema_path,
        "principal": what.principal,
        "requests": seen.requests,
        "first_seen": seen.first,
        "last_seen": seen.last,
    }


def _document(row: ViolationRow) -> dict[str, Any]:
    return {
        "day": (_EPOCH + timedelta(days=row["day"])).isoformat(),
        "outcome": row["outcome"],
        "operation": row["operation"],
        "schema_path": row["schema_path"],
        "client": row["principal"],
        "requests": row["requests"],
        "first": rfc3339(row["first_seen"]),
        "last": rfc3339(row["last_seen"]),
    }


def parse_day(text: str) -> date:
    """Return the day of a text such as 2026-11-29. Raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
