"""The rows of the classes that resources name in their tag `auth_classes`, by which queries find what a caller may see.

They are written in the transaction that writes the tags, whether there are rules in force or not. A resource without
the tag has no row, unless the rules say that everybody may use it: then it has one of the class UNTAGGED.
"""

from collections.abc import Iterator

from storage.catalog.access_rules import UNTAGGED, AccessRules
from storage.catalog.retry import retried
from storage.catalog.tags import Tags
from storage.change_notes import note
from storage.tables.auth_classes import OWNERS, TAG, class_names
from storage.tables.conditions import Exists, In, equals
from storage.tables.engine import Engine
from storage.tables.rows import ClassRow, TagOwner
from storage.tables.transaction import Row, Writer

_MARKER = "open_classes"
"""Row of the table `service` that says that every resource without the tag has its row."""
_BATCH = 500


def classes_of(tags: Tags) -> list[str]:
    """The classes of a resource with these tags."""
    return class_names(tags[TAG]) if TAG in tags else [UNTAGGED]


def replace_classes(
    tx: Writer,
    rules: AccessRules,
    kind: TagOwner,
    owner_id: str,
    created: int,
    tags: Tags,
    before: Tags | None = None,
) -> None:
    """Make the rows of the classes of a resource those of its tags. It is locked by the caller.

    created: as in its own row. before: its tags until now; None for a new resource.
    """
    if before is None and TAG not in tags and not rules.untagged_is_open:
        return
    if before is not None and tags.get(TAG) == before.get(TAG):
        return
    _note_change(kind, owner_id, before or {}, tags)
    delete_classes(tx, kind, owner_id)
    tx.insert("classes", _rows(rules, kind, owner_id, created, tags))


def rows_of_new(rules: AccessRules, kind: TagOwner, owner_id: str, created: int, tags: Tags) -> list[ClassRow]:
    """The rows of the classes of a resource that is new, to be inserted. created: as in its own row."""
    if TAG not in tags and not rules.untagged_is_open:
        return []
    _note_change(kind, owner_id, {}, tags)
    return _rows(rules, kind, owner_id, created, tags)


def _rows(rules: AccessRules, kind: TagOwner, owner_id: str, created: int, tags: Tags) -> list[ClassRow]:
    names = [name for name in classes_of(tags) if name != UNTAGGED or rules.untagged_is_open]
    return [{"kind": kind, "owner_id": owner_id, "name": name, "created": created} for name in names]


def _note_change(kind: TagOwner, owner_id: str, before: Tags, after: Tags) -> None:
    note(f"auth_classes of {kind} {owner_id}", {"before": before.get(TAG), "after": after.get(TAG)})


def delete_classes(tx: Writer, kind: TagOwner, owner_id: str) -> None:
    tx.delete("classes", equals(kind=kind, owner_id=owner_id))


def delete_classes_with_owner(tx: Writer, rules: AccessRules, kind: TagOwner, owner_id: str, tags: Tags) -> None:
    """Delete the rows of a resource that is deleted. tags: its last ones."""
    if TAG in tags:
        note(f"auth_classes of {kind} {owner_id}", {"before": tags[TAG], "after": None})
    if TAG in tags or rules.untagged_is_open:
        delete_classes(tx, kind, owner_id)


def prepare_classes(engine: Engine, rules: AccessRules) -> None:
    """Add the rows of resources without the tag, or remove them, as the rules require. Called at start."""
    with engine.read_once() as tx:
        is_complete = tx.get("service", key=_MARKER) is not None
    if rules.untagged_is_open == is_complete:
        return
    for kind, table in OWNERS.items():
        if rules.untagged_is_open:
            for ids in _untagged(engine, kind, table):
                _add_untagged(engine, kind, table, ids)
        else:
            _remove_untagged(engine, kind)
    with engine.write() as tx:
        tx.lock("service")
        tx.delete("service", equals(key=_MARKER))
        if rules.untagged_is_open:
            tx.insert("service", [{"key": _MARKER, "value": True}])


def _untagged(engine: Engine, kind: TagOwner, table: str) -> Iterator[list[str]]:
    """The ids of the resources that have no row of a class, in batches."""
    without = Exists("classes", "owner_id", "id", equals(kind=kind), present=False)
    after = None
    while True:
        with engine.read_once() as tx:
            rows: list[Row] = tx.select(table, [without], order=("id",), after=after, limit=_BATCH, columns=["id"])
        if not rows:
            return
        yield [row["id"] for row in rows]
        after = [rows[-1]["id"]]


@retried
def _add_untagged(engine: Engine, kind: TagOwner, table: str, ids: list[str]) -> None:
    """Add the rows of those of these resources that still have no tag."""
    with engine.write() as tx:
        tx.lock(*(f"{kind}:{id_}" for id_ in ids))
        owners: list[Row] = tx.select(table, [In("id", ids)], columns=["id", "created", "doc"])
        untagged = {owner["id"]: owner["created"] for owner in owners if TAG not in (owner["doc"].get("tags") or {})}
        tx.delete("classes", [*equals(kind=kind), In("owner_id", sorted(untagged))])
        rows: list[ClassRow] = [
            {"kind": kind, "owner_id": id_, "name": UNTAGGED, "created": created} for id_, created in untagged.items()
        ]
        tx.insert("classes", rows)


def _remove_untagged(engine: Engine, kind: TagOwner) -> None:
    """Remove all rows of the class UNTAGGED, in batches."""
    where = equals(kind=kind, name=UNTAGGED)
    while True:
        with engine.write() as tx:
            rows = tx.select("classes", where, order=("created", "owner_id"), limit=_BATCH, columns=["owner_id"])
            tx.delete("classes", [*where, In("owner_id", [row["owner_id"] for row in rows])])
        if len(rows) < _BATCH:
            return
