"""What a write transaction knows already of one table, and what it has yet to send."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any

from storage.tables.conditions import Condition, Exists
from storage.tables.engine import Row
from storage.tables.vast.layout import ROW_ID, Form
from storage.tables.vast.predicates import Simple, holds, is_pin, pins

Key = tuple[Any, ...]

_KEYS = 5000
"""So many keys are looked for among those known; for more it is simpler to ask."""


@dataclass
class Memory:
    """ids: row ids by key, of rows that are there. full: whole rows by key, as this transaction left them.

    covers: for each, values of key columns for which every row that is there is known. inserted, updated, deleted: not
    yet sent.
    """

    form: Form
    ids: dict[Key, Any] = field(default_factory=dict)
    full: dict[Key, Row] = field(default_factory=dict)
    covers: list[dict[str, frozenset[Any]]] = field(default_factory=list)
    inserted: dict[Key, Row] = field(default_factory=dict)
    updated: dict[Key, Row] = field(default_factory=dict)
    deleted: dict[Key, Any] = field(default_factory=dict)

    @property
    def is_pending(self) -> bool:
        return bool(self.inserted or self.updated or self.deleted)

    def clear(self) -> None:
        """Know nothing any more, and have nothing to send."""
        for known in (self.ids, self.full, self.covers, self.inserted, self.updated, self.deleted):
            known.clear()

    def is_there(self, key: Key) -> bool:
        return key in self.ids or key in self.inserted

    def keep(self, rows: Iterable[Row]) -> None:
        """Take in rows that were read, with key and row id."""
        for row in rows:
            key = self.form.key_of(row)
            self.ids[key] = row.pop(ROW_ID)
            if len(row) >= len(self.form.shown):
                self.full[key] = {name: row[name] for name in self.form.shown}

    def cover(self, where: Sequence[Condition]) -> None:
        """All rows that meet `where` have been read."""
        bound = pins(self.form, where)
        if len(bound) == len(where):
            self.covers.append({name: frozenset(values) for name, values in bound.items()})

    def is_absent(self, key: Key) -> bool:
        """Whether there is known to be no row of this key."""
        if self.is_there(key):
            return False
        named = dict(zip(self.form.table.key, key, strict=True))
        return any(all(named[name] in values for name, values in cover.items()) for cover in self.covers)

    def recall(self, where: Sequence[Condition], *, whole: bool) -> list[Key] | None:
        """Keys of the rows that meet `where`, if that is known. whole: only if all their columns are."""
        simple: list[Simple] = [condition for condition in where if not isinstance(condition, Exists)]
        bound = pins(self.form, simple)
        if len(bound) < len(self.form.table.key) or len(simple) < len(where):
            return None
        keys = list(islice(product(*(dict.fromkeys(bound[name]) for name in self.form.table.key)), _KEYS + 1))
        if len(keys) > _KEYS:
            return None
        further = [condition for condition in simple if not is_pin(self.form, condition)]
        found = []
        for key in keys:
            if self.is_there(key):
                row = self.full.get(key)
                if row is None and (whole or further):
                    return None
                if not further or (row is not None and holds(self.form, row, further)):
                    found.append(key)
            elif not self.is_absent(key):
                return None
        return found

    def insert(self, key: Key, row: Row) -> None:
        """Add a row; in place of one of the same key that was deleted a moment ago, as a change of that."""
        self.full[key] = row
        if key in self.deleted:
            self.ids[key] = self.deleted.pop(key)
            if values := {name: value for name, value in row.items() if name not in self.form.table.key}:
                self.updated[key] = values
        else:
            self.inserted[key] = row

    def update(self, key: Key, values: Row) -> None:
        """Set columns that are not of the key, in a row that is there."""
        if key in self.inserted:
            self.inserted[key].update(values)
            return
        self.updated.setdefault(key, {}).update(values)
        if key in self.full:
            self.full[key].update(values)

    def delete(self, key: Key) -> None:
        """Forget a row that is there, whose key is now known to be free."""
        if self.inserted.pop(key, None) is None:
            self.deleted[key] = self.ids.pop(key)
        self.updated.pop(key, None)
        self.full.pop(key, None)
        if not self.is_absent(key):
            self.covers.append({name: frozenset([value]) for name, value in zip(self.form.table.key, key, strict=True)})
