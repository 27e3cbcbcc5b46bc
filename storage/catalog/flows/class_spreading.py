"""Changes of classes spread from a source to its flows, and from a collection to its members (AUTHZ-12).

The same classes are added and removed everywhere. A branch ends at a resource whose classes the caller may not edit so,
or that is read-only. All of it happens in the transaction of the change, with an event for each resource. That
transaction locks all resources that may be reached in one step, before it reads.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from storage import error_codes
from storage.catalog import sources
from storage.catalog import tags as tag_rows
from storage.catalog.access.class_changes import may_change_classes
from storage.catalog.access.class_rows import classes_of, replace_classes
from storage.catalog.access.class_spread import ClassChange
from storage.catalog.caller import Caller
from storage.catalog.clock import later_than, moment, rfc3339
from storage.catalog.environment import Environment
from storage.catalog.event_journal import EventJournal
from storage.catalog.flows import flow_rows
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.flows.metadata_version import next_metadata_version
from storage.errors import Contended, Invalid
from storage.tables.auth_classes import OWNERS, TAG
from storage.tables.conditions import equals
from storage.tables.limits import check_document
from storage.tables.rows import TagOwner
from storage.tables.transaction import Reader, Writer

_MOST = 10_000
"""Resources that one change may reach."""

Place = tuple[TagOwner, str]


class ClassSpreading:
    """Implements storage.catalog.access.class_spread.Spreading."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def locks(self, kind: TagOwner, id_: str, tag: Any, members: Sequence[Mapping[str, Any]] = ()) -> Sequence[str]:
        """The names of all resources below one whose `auth_classes` will change, by a walk before the transaction."""
        if not self._env.access.spreads:
            return ()
        with self._env.engine.read() as tx:
            row: Any = tx.get(OWNERS[kind], id=id_)
            if row is None or row["doc"].get("tags", {}).get(TAG) == tag:
                return ()
            seen: set[Place] = {(kind, id_), *((KIND, item["id"]) for item in members)}
            level = list(seen)
            while level:
                level = _next_level(tx, level, seen)
        return sorted(map(_lock_of, seen - {(kind, id_)}))

    def spread(
        self, tx: Writer, journal: EventJournal, caller: Caller, change: ClassChange, locked: Sequence[str]
    ) -> None:
        """Make a change spread, if the rules say so. Raises: Invalid if it reaches too many resources; Contended."""
        if not self._env.access.spreads or not change:
            return
        names = set(locked)
        seen: set[Place] = {(change.kind, change.id)}
        level = list(seen)
        while level := _next_level(tx, level, seen):
            if not names.issuperset(map(_lock_of, level)):
                raise Contended("what the resource collects has just been changed by another request; try again")
            level = [place for place in level if self._apply(tx, journal, caller, place, change)]

    def _apply(self, tx: Writer, journal: EventJournal, caller: Caller, place: Place, change: ClassChange) -> bool:
        """Make the change to one resource. Returns whether it goes on from there to others."""
        kind, id_ = place
        row: Any = tx.get(OWNERS[kind], id=id_)
        if row is None or row.get("read_only", False):
            return False
        tags = row["doc"].get("tags", {})
        after = change.applied_to(tags)
        classes = set(classes_of(tags))
        changed = classes ^ set(classes_of(after))
        if not may_change_classes(caller, classes, changed):
            return False
        if not changed:
            return True
        doc = {**row["doc"], "tags": after}
        tag_rows.replace_rows(tx, kind, id_, row["created"], doc["tags"])
        replace_classes(tx, self._env.access, kind, id_, row["created"], doc["tags"], tags)
        if kind == "source":
            sources.update(tx, journal, caller, doc, self._env.clock())
            return True
        check_document(doc, "flow")
        now = later_than(moment(doc["metadata_updated"]), self._env.clock())
        doc |= {"updated_by": caller.name, "metadata_updated": rfc3339(now)}
        doc["metadata_version"] = next_metadata_version(None, doc["metadata_version"])
        flow_rows.update(tx, row, {"metadata_updated": now, "doc": doc})
        flow_rows.record_updates(tx, journal, [id_], doc["metadata_updated"])
        return True


def _lock_of(place: Place) -> str:
    kind, id_ = place
    return f"{kind}:{id_}"


def _next_level(tx: Reader, level: Iterable[Place], seen: set[Place]) -> list[Place]:
    """The resources just below those of a level, without those that have been seen, to which they are added.

    Raises: Invalid if there are too many.
    """
    found = {below for place in level for below in _below(tx, *place)} - seen
    seen |= found
    if len(seen) > _MOST:
        raise Invalid(
            f"a change of classes may spread to at most {_MOST} resources",
            code=error_codes.CLASSES_SPREAD,
            field=f"tags.{TAG}",
        )
    return sorted(found)


def _below(tx: Reader, kind: TagOwner, id_: str) -> Iterator[Place]:
    """What a source or a flow collects, and the flows of a source."""
    table = "collections" if kind == "flow" else "source_collections"
    for link in tx.select(table, equals(collector_id=id_), columns=["member_id"]):
        yield kind, link["member_id"]
    if kind == "source":
        for flow in tx.select("flows", equals(source_id=id_), columns=["id"]):
            yield "flow", flow["id"]
