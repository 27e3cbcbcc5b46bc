"""Sources: list, read and change them. How they come and go is in source_lifecycle (SRC-*)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from storage import error_codes
from storage.catalog import tags as tag_rows
from storage.catalog.access.checks import not_found, reading, require, require_before_lock
from storage.catalog.access.class_changes import check_class_change
from storage.catalog.access.class_rows import replace_classes
from storage.catalog.access.class_spread import NO_SPREADING, ClassChange, Spreading
from storage.catalog.access_rules import Permission
from storage.catalog.caller import Caller
from storage.catalog.clock import later_than, moment, rfc3339, rfc3339_seconds, unix_seconds
from storage.catalog.environment import Environment
from storage.catalog.event_journal import EventJournal, pages, write_with_events
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.retry import retried
from storage.catalog.tags import TagFilter
from storage.errors import NotFound
from storage.preconditions import Preconditions, ResourceState, ResourceVersion, digest_of, member_state
from storage.tables.auth_classes import TAG
from storage.tables.conditions import Condition, Exists, In, equals
from storage.tables.limits import check_document, label_columns
from storage.tables.rows import SourceRow
from storage.tables.transaction import Reader, Writer

KIND: Final = "source"
ORDERS = {
    "created": Order(("created", "id"), descending=True),
    "updated": Order(("updated", "id"), descending=True),
    "label": Order(("unlabelled", "label", "id")),
}
_DOCUMENT_COLUMNS = ("id", "created", "doc")


@dataclass(frozen=True, slots=True)
class SourceFilter:
    """The filters of a listing of sources; a source must pass them all. None does not filter.

    collected_by_ids: ids of collecting sources; an empty list selects sources in no collection.
    """

    label: str | None = None
    format: str | None = None
    collected_by_ids: Sequence[str] | None = None
    tags: TagFilter = field(default_factory=TagFilter)

    def conditions(self, kind: str = KIND) -> list[Condition]:
        """The conditions on the table of sources. kind: of the owners of their tags."""
        where: list[Condition] = [*self.tags.conditions(kind)]
        if self.label is not None:
            where += equals(**label_columns(self.label))
        if self.format is not None:
            where += equals(format=self.format)
        if self.collected_by_ids is not None:
            where.append(collected_by("source_collections", self.collected_by_ids))
        return where


def collected_by(table: str, collector_ids: Sequence[str]) -> Condition:
    """The condition to be a member of one of these collections; of none at all if the list is empty (SRC-LIST-05, -06).

    table: "collections" for flows, "source_collections" for sources.
    """
    if not collector_ids:
        return Exists(table, "member_id", "id", present=False)
    return Exists(table, "member_id", "id", (In("collector_id", collector_ids),))


class Sources:
    """The sources of the catalogue. Methods for one source raise NotFound if the caller cannot see it."""

    def __init__(self, env: Environment, spreading: Spreading = NO_SPREADING) -> None:
        self._env = env
        self._spreading = spreading

    def page(self, caller: Caller, filters: SourceFilter, sort_by: str, request: PageRequest) -> Page:
        """A page of the sources that pass the filters (SRC-LIST-*, SORT-01 to -08). sort_by: a key of ORDERS."""
        size = request.size(self._env.limits)
        where = [*filters.conditions(), *caller.visible(KIND)]
        with self._env.engine.read() as tx:
            rows, next_key = select_page(tx, "sources", where, ORDERS[sort_by], request, size, _DOCUMENT_COLUMNS)
            found = documents(tx, rows)
        return Page(found, size, request.reverse, next_key)

    def get(self, caller: Caller, source_id: str) -> dict[str, Any]:
        """The source's document (source.json)."""
        with self._env.engine.read() as tx:
            return documents(tx, [_get_row(tx, caller, source_id, "read")])[0]

    def member(self, caller: Caller, source_id: str, name: str) -> Any:
        """The value of `label`, `description` or `tags`. Raises: NotFound if it is not set, except for tags (A15)."""
        with reading(self._env.engine, caller) as tx:
            doc = _get_row(tx, caller, source_id, "read")["doc"]
        if name == "tags":
            return doc.get("tags", {})
        if name not in doc:
            raise NotFound(
                f"source {source_id} has no {name}",
                code=error_codes.SOURCE_MEMBER_NOT_SET,
                field=name,
                behaviour="SRC-DESC-03",
            )
        return doc[name]

    def tag(self, caller: Caller, source_id: str, name: str) -> Any:
        """The value of one tag (SRC-TAG-03, -04)."""
        tags = self.member(caller, source_id, "tags")
        if name not in tags:
            raise _no_tag(source_id, name)
        return tags[name]

    @retried
    def set_member(
        self, caller: Caller, source_id: str, name: str, value: Any, preconditions: Preconditions | None = None
    ) -> None:
        """Set `label` or `description`, or remove it if `value` is None (SRC-DESC-04, -07).

        Raises: Invalid; PreconditionFailed.
        """
        require_before_lock(self._env.engine, caller, KIND, source_id, "write")
        with write_with_events(self._env) as (tx, journal):
            _, doc = self._lock(tx, caller, source_id)
            if preconditions is not None:
                preconditions.check_change(member_state(source_version(doc), doc.get(name)))
            doc.pop(name, None)
            if value is not None:
                doc[name] = value
            self._update(tx, journal, caller, doc)

    @retried
    def set_tag(
        self,
        caller: Caller,
        source_id: str,
        name: str,
        value: str | Sequence[str],
        preconditions: Preconditions | None = None,
    ) -> None:
        """Set one tag and keep the others (SRC-TAG-05 to -09). Raises: Invalid; PreconditionFailed."""
        require_before_lock(self._env.engine, caller, KIND, source_id, "write")
        below = self._spreading.locks(KIND, source_id, value) if name == TAG else ()
        with write_with_events(self._env) as (tx, journal):
            row, doc = self._lock(tx, caller, source_id, *below)
            tag_rows.check_tag(name, value)
            if preconditions is not None:
                preconditions.check_change(member_state(source_version(doc), doc.get("tags", {}).get(name)))
            self._update_tags(tx, journal, caller, row, doc, {**doc.get("tags", {}), name: value}, below)

    @retried
    def delete_tag(self, caller: Caller, source_id: str, name: str, preconditions: Preconditions | None = None) -> None:
        """Remove one tag. Raises: NotFound if it is not set (SRC-TAG-13); PreconditionFailed."""
        require_before_lock(self._env.engine, caller, KIND, source_id, "write")
        below = self._spreading.locks(KIND, source_id, None) if name == TAG else ()
        with write_with_events(self._env) as (tx, journal):
            row, doc = self._lock(tx, caller, source_id, *below)
            tags = dict(doc.get("tags", {}))
            value = tags.pop(name, None)
            if value is None:
                raise _no_tag(source_id, name)
            if preconditions is not None:
                preconditions.check_change(member_state(source_version(doc), value))
            self._update_tags(tx, journal, caller, row, doc, tags, below)

    def require(self, caller: Caller, source_id: str, permission: Permission = "read") -> None:
        """Check that the source exists, and that the caller has a permission on it. Raises: NotFound, Forbidden."""
        with reading(self._env.engine, caller) as tx:
            _get_row(tx, caller, source_id, permission)

    def _lock(self, tx: Writer, caller: Caller, source_id: str, *more_locks: str) -> tuple[SourceRow, dict[str, Any]]:
        """Lock the source, and return its row and a copy of its document."""
        tx.lock(f"source:{source_id}", *more_locks)
        row = _get_row(tx, caller, source_id, "write")
        return row, dict(row["doc"])

    def _update_tags(
        self,
        tx: Writer,
        journal: EventJournal,
        caller: Caller,
        row: SourceRow,
        doc: dict[str, Any],
        tags: Mapping[str, Any],
        below: Sequence[str],
    ) -> None:
        """Replace the tags. below: the locks of resources to which a change of classes may spread."""
        before = row["doc"].get("tags", {})
        check_class_change(caller, KIND, doc["id"], before, tags)
        doc["tags"] = tags
        check_document(doc, "source")
        tag_rows.check_room(self._env.engine, before, tags)
        tag_rows.replace_rows(tx, KIND, doc["id"], row["created"], tags)
        replace_classes(tx, self._env.access, KIND, doc["id"], row["created"], tags, before)
        self._update(tx, journal, caller, doc)
        self._spreading.spread(tx, journal, caller, ClassChange.of(KIND, doc["id"], before, tags), below)

    def _update(self, tx: Writer, journal: EventJournal, caller: Caller, doc: dict[str, Any]) -> None:
        update(tx, journal, caller, doc, self._env.clock())


def update(tx: Writer, journal: EventJournal, caller: Caller, doc: dict[str, Any], now: int) -> None:
    """Store the changed document of a source, which is locked, and record the event. now: microseconds since 1970."""
    check_document(doc, "source")
    now = later_than(moment(doc["updated"]), now)
    doc["updated_by"] = caller.name
    doc["updated"] = rfc3339(now)
    values = {**label_columns(doc.get("label")), "updated": now, "doc": doc}
    tx.update("sources", equals(id=doc["id"]), values)
    record_events(tx, journal, "sources/updated", [doc["id"]], doc["updated"])


def source_version(doc: Mapping[str, Any]) -> ResourceVersion:
    """Return the version of a source. doc: as stored or as shown."""
    parts = [doc.get(name) for name in ("updated", "label", "description", "tags")]
    return ResourceVersion(digest_of(parts), unix_seconds(doc["updated"]))


def source_state(doc: Mapping[str, Any]) -> ResourceState:
    """Return the state with which the preconditions of a change of a source are compared. doc: as stored."""
    version = source_version(doc)
    return ResourceState(version=version.tag, modified=version.modified)


def record_events(
    tx: Reader, journal: EventJournal, event_type: str, source_ids: Collection[str], moment: str | None = None
) -> None:
    """Record an event with the present document of each of these sources that exists, if any webhook is listening.

    moment: RFC 3339 time of the change; now by default.
    """
    if source_ids and journal.wanted:
        for ids in pages(source_ids):
            journal.sources(event_type, documents(tx, tx.select("sources", [In("id", ids)])), moment)


def documents(tx: Reader, rows: Sequence[SourceRow]) -> list[dict[str, Any]]:
    """The complete documents: as stored, with source_collection and collected_by (SRC-LIFE-11).

    `created` is in whole seconds (A75).
    """
    ids = [row["id"] for row in rows]
    found = {row["id"]: {**row["doc"], "created": rfc3339_seconds(row["created"])} for row in rows}
    order = ("collector_id", "position")
    links = tx.select("source_collections", [In("collector_id", ids)], order=order)
    for collector_id, members in groupby(links, key=itemgetter("collector_id")):
        found[collector_id]["source_collection"] = [
            {"id": link["member_id"]} if link["role"] is None else {"id": link["member_id"], "role": link["role"]}
            for link in members
        ]
    order = ("member_id", "collector_id")
    for link in tx.select("source_collections", [In("member_id", ids)], order=order, columns=order):
        found[link["member_id"]].setdefault("collected_by", []).append(link["collector_id"])
    return list(found.values())


def _get_row(tx: Reader, caller: Caller, source_id: str, permission: Permission) -> SourceRow:
    require(tx, caller, KIND, source_id, permission)
    row = tx.get("sources", id=source_id)
    if row is None:
        raise not_found(KIND, source_id)
    return row


def _no_tag(source_id: str, name: str) -> NotFound:
    return NotFound(
        f"source {source_id} has no tag {name!r}",
        code=error_codes.SOURCE_TAG_NOT_FOUND,
        field="name",
        behaviour="SRC-TAG-04",
    )
