"""The creation of sources by POST, before they have flows: one or many in one request (F5).

Such a source lives as others do: until its last flow is deleted, or for ever if it gets none.
"""

from collections.abc import Sequence, Set

from storage.catalog import source_lifecycle, sources
from storage.catalog.access.class_changes import tags_of_new
from storage.catalog.access.creation import check_may_create_sources
from storage.catalog.batch import Item, Outcome, check_number_of_items, exists, repeated, with_ids
from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.event_journal import write_with_events
from storage.catalog.retry import retried
from storage.catalog.sources import KIND
from storage.catalog.tags import check_tags
from storage.errors import AlreadyExists, Forbidden, Invalid, TamsError
from storage.tables.conditions import In
from storage.tables.limits import NAME, check_document, check_row, check_text
from storage.tables.rows import SourceRow
from storage.tables.transaction import Reader

_SET_BY_CLIENTS = ("id", "format", "label", "description", "tags", "created_by")


class SourceCreation:
    """Creates sources whose ids are free."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def create(self, caller: Caller, items: Sequence[Item]) -> list[Outcome]:
        """Create every source that can be created, in one transaction. Returns what became of each item.

        items: documents that are valid by source.json, of which each may leave out its id.

        Raises: Invalid if there are too many of them; Forbidden if the caller may create no sources (AUTHZ-04).
        """
        check_may_create_sources(caller)
        check_number_of_items(items, self._env.limits.batch_max, "sources")
        return self._create(caller, with_ids(items))

    @retried
    def _create(self, caller: Caller, items: Sequence[Item]) -> list[Outcome]:
        now = self._env.clock()
        with self._env.engine.read_once() as tx:
            taken = _taken(tx, [item["id"] for item in items])
        rows, errors = _new_rows(caller, items, taken, now)
        if not rows:
            return [errors[number] for number in range(len(items))]
        with write_with_events(self._env) as (tx, journal):
            ids = [row["id"] for row in rows.values()]
            tx.lock(*(f"source:{id_}" for id_ in ids))
            taken = _taken(tx, ids)
            errors |= {number: exists(KIND, row["id"]) for number, row in rows.items() if row["id"] in taken}
            free = [row for row in rows.values() if row["id"] not in taken]
            if free:
                source_lifecycle.insert_sources(tx, self._env.access, free)
            created = {doc["id"]: doc for doc in sources.documents(tx, free)}
            sources.record_events(tx, journal, "sources/created", created, rfc3339(now))
        return [errors.get(number) or created[item["id"]] for number, item in enumerate(items)]


def _new_rows(
    caller: Caller, items: Sequence[Item], taken: Set[str], now: int
) -> tuple[dict[int, SourceRow], dict[int, TamsError]]:
    """The rows of the items that can be created, and the errors of the others; both by position.

    taken: the ids of sources that exist. Their items are rejected before a lock, for which the caller could wait.
    """
    rows: dict[int, SourceRow] = {}
    errors: dict[int, TamsError] = {}
    seen: set[str] = set()
    for number, item in enumerate(items):
        try:
            if item["id"] in seen:
                raise repeated(KIND, item["id"])
            row = _new_row(caller, item, now)
            if item["id"] in taken:
                raise exists(KIND, item["id"])
            rows[number] = row
        except (AlreadyExists, Forbidden, Invalid) as error:
            errors[number] = error
        seen.add(item["id"])
    return rows, errors


def _taken(tx: Reader, ids: Sequence[str]) -> set[str]:
    return {row["id"] for row in tx.select("sources", [In("id", ids)], columns=["id"])}


def _new_row(caller: Caller, item: Item, now: int) -> SourceRow:
    """The row of one source. Raises: Invalid, Forbidden."""
    members = {name: item[name] for name in _SET_BY_CLIENTS if name in item}
    check_text(members.get("created_by", ""), NAME, "created_by")
    check_tags(members.get("tags", {}))
    check_document(members, KIND)
    tags = tags_of_new(caller, KIND, members["id"], members.get("tags", {}))
    if tags:
        members["tags"] = tags
    row = source_lifecycle.new_source(caller, members, now)
    check_row("sources", row)
    return row
