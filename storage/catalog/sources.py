"""Sources: they come with their first flow and go with their last (SRC-*)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from storage.catalog import tags as tag_rows
from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.event_journal import Journal, Subject, change
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.retry import retried
from storage.catalog.tags import TagFilter
from storage.errors import NotFound
from storage.tables.conditions import Compare, Condition, Exists, In, equals
from storage.tables.engine import Reader, Row, Writer

KIND = "source"
ORDERS = {
    "created": Order(("created", "id"), descending=True),
    "updated": Order(("updated", "id"), descending=True),
    "label": Order(("unlabelled", "label", "id")),
}


@dataclass(frozen=True, slots=True)
class SourceFilter:
    """What a listing asks for; None means no filter. collected_by_ids: [] asks for sources in no collection."""

    label: str | None = None
    format: str | None = None
    collected_by_ids: Sequence[str] | None = None
    tags: TagFilter = field(default_factory=TagFilter)

    def conditions(self) -> list[Condition]:
        where: list[Condition] = [*self.tags.conditions(KIND)]
        if self.label is not None:
            where += equals(label=self.label, unlabelled=False)
        if self.format is not None:
            where += equals(format=self.format)
        if self.collected_by_ids is not None:
            where.append(collected_by("source_collections", self.collected_by_ids))
        return where


def collected_by(table: str, collector_ids: Sequence[str]) -> Condition:
    """Being a member of one of these collections, or of none at all where the list is empty (SRC-LIST-05, -06)."""
    if not collector_ids:
        return Exists(table, "member_id", "id", present=False)
    return Exists(table, "member_id", "id", (In("collector_id", collector_ids),))


class Sources:
    def __init__(self, env: Environment) -> None:
        self._env = env

    def page(self, caller: Caller, filters: SourceFilter, sort_by: str, request: PageRequest) -> Page:
        """Sources that match, newest first unless sorted otherwise (SRC-LIST-*, SORT-01 to -08)."""
        size = request.size(self._env.limits)
        where = [*filters.conditions(), *caller.visible(KIND)]
        with self._env.engine.read() as tx:
            rows, next_key = select_page(tx, "sources", where, ORDERS[sort_by], request, size)
            found = documents(tx, rows)
        return Page(found, size, request.reverse, next_key)

    def get(self, caller: Caller, source_id: str) -> dict[str, Any]:
        with self._env.engine.read() as tx:
            return documents(tx, [_find(tx, caller, source_id)])[0]

    def member(self, caller: Caller, source_id: str, name: str) -> Any:
        """The value of `label`, `description` or `tags`. Raises NotFound where it is not set (A15)."""
        with self._env.engine.read_once() as tx:
            doc = _find(tx, caller, source_id)["doc"]
        if name == "tags":
            return doc.get("tags", {})
        if name not in doc:
            raise NotFound(f"source {source_id} has no {name}", field=name, behaviour="SRC-DESC-03")
        return doc[name]

    def tag(self, caller: Caller, source_id: str, name: str) -> Any:
        """The value of one tag (SRC-TAG-03, -04)."""
        tags = self.member(caller, source_id, "tags")
        if name not in tags:
            raise _no_tag(source_id, name)
        return tags[name]

    @retried
    def set_member(self, caller: Caller, source_id: str, name: str, value: Any) -> None:
        """Set `label` or `description`; a value of None unsets it (SRC-DESC-04, -07)."""
        with change(self._env) as (tx, journal):
            doc = self._open(tx, caller, source_id)
            doc.pop(name, None)
            if value is not None:
                doc[name] = value
            self._save(tx, journal, caller, doc)

    @retried
    def set_tag(self, caller: Caller, source_id: str, name: str, value: str | Sequence[str]) -> None:
        """Set one tag and leave the others (SRC-TAG-05 to -09)."""
        with change(self._env) as (tx, journal):
            doc = self._open(tx, caller, source_id)
            self._save_tags(tx, journal, caller, doc, {**doc.get("tags", {}), name: value})

    @retried
    def delete_tag(self, caller: Caller, source_id: str, name: str) -> None:
        """Remove one tag. Raises NotFound where it is not there (SRC-TAG-13)."""
        with change(self._env) as (tx, journal):
            doc = self._open(tx, caller, source_id)
            tags = dict(doc.get("tags", {}))
            if tags.pop(name, None) is None:
                raise _no_tag(source_id, name)
            self._save_tags(tx, journal, caller, doc, tags)

    def require(self, caller: Caller, source_id: str) -> None:
        """Raises NotFound where there is no such source."""
        with self._env.engine.read_once() as tx:
            _find(tx, caller, source_id)

    def _open(self, tx: Writer, caller: Caller, source_id: str) -> dict[str, Any]:
        tx.lock(f"source:{source_id}")
        return dict(_find(tx, caller, source_id)["doc"])

    def _save_tags(
        self, tx: Writer, journal: Journal, caller: Caller, doc: dict[str, Any], tags: Mapping[str, Any]
    ) -> None:
        doc["tags"] = tags
        tag_rows.replace_rows(tx, KIND, doc["id"], tags)
        self._save(tx, journal, caller, doc)

    def _save(self, tx: Writer, journal: Journal, caller: Caller, doc: dict[str, Any]) -> None:
        now = self._env.clock()
        doc["updated_by"] = caller.name
        doc["updated"] = rfc3339(now)
        label = doc.get("label")
        values = {"label": label or "", "unlabelled": label is None, "updated": now, "doc": doc}
        tx.update("sources", equals(id=doc["id"]), values)
        record(tx, journal, "sources/updated", [doc["id"]], doc["updated"])


def create(tx: Writer, caller: Caller, source_id: str, format_: str, now: int) -> None:
    """The source of a first flow (SRC-LIFE-01, -02)."""
    moment = rfc3339(now)
    doc = {
        "id": source_id,
        "format": format_,
        "created_by": caller.name,
        "updated_by": caller.name,
        "created": moment,
        "updated": moment,
    }
    row = {"id": source_id, "format": format_, "label": "", "unlabelled": True, "created": now, "updated": now}
    tx.insert("sources", [{**row, "doc": doc}])


def delete_orphan(tx: Writer, journal: Journal, source_id: str, collected_by: Sequence[str]) -> set[str]:
    """Remove the source unless a flow of it is left (SRC-LIFE-05, -06). The ids of sources that this changes.

    collected_by: the sources that collected it before its last flow went (FLT-09).
    """
    if tx.select("flows", equals(source_id=source_id), limit=1, columns=["id"]):
        return set()
    journal.source_deleted(Subject(None, source_id, (), collected_by))
    tx.delete("sources", equals(id=source_id))
    tx.delete("tags", equals(kind=KIND, owner_id=source_id))
    members = tx.select("source_collections", equals(collector_id=source_id), columns=["member_id"])
    collectors = tx.select("source_collections", equals(member_id=source_id), columns=["collector_id"])
    tx.delete("source_collections", equals(collector_id=source_id))
    tx.delete("source_collections", equals(member_id=source_id))
    return {row["member_id"] for row in members} | {row["collector_id"] for row in collectors}


def record(
    tx: Reader, journal: Journal, event_type: str, source_ids: Collection[str], moment: str | None = None
) -> None:
    """Tell of these sources, those of them that are there, as they are now. moment: of the change; now unless given."""
    if source_ids and journal.wanted:
        for doc in documents(tx, tx.select("sources", [In("id", sorted(source_ids))])):
            journal.source(event_type, doc, moment)


def _find(tx: Reader, caller: Caller, source_id: str) -> Row:
    rows = tx.select("sources", [Compare("id", "==", source_id), *caller.visible(KIND)], limit=1)
    if not rows:
        raise NotFound(f"there is no source {source_id}", field="sourceId", behaviour="SRC-GET-02")
    return rows[0]


def _no_tag(source_id: str, name: str) -> NotFound:
    return NotFound(f"source {source_id} has no tag {name!r}", field="name", behaviour="SRC-TAG-04")


def documents(tx: Reader, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Whole documents: what was stored, and the collections derived from those of the flows (SRC-LIFE-11)."""
    ids = [row["id"] for row in rows]
    found = {row["id"]: dict(row["doc"]) for row in rows}
    order = ("collector_id", "position")
    for link in tx.select("source_collections", [In("collector_id", ids)], order=order):
        item = {"id": link["member_id"]} | ({"role": link["role"]} if link["role"] is not None else {})
        found[link["collector_id"]].setdefault("source_collection", []).append(item)
    for link in tx.select("source_collections", [In("member_id", ids)], order=("member_id", "collector_id")):
        found[link["member_id"]].setdefault("collected_by", []).append(link["collector_id"])
    return list(found.values())
