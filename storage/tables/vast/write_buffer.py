"""What a write transaction knows about one table, and which of its changes are not yet sent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any

from storage.tables.conditions import Condition, Exists
from storage.tables.transaction import Row
from storage.tables.vast.layout import ROW_ID, TableLayout
from storage.tables.vast.predicates import RowCondition, fixes_key, key_values, matches

Key = tuple[Any, ...]

_MAX_KEYS = 5000
"""The most keys that are looked up here; for more, a query is simpler."""


@dataclass
class WriteBuffer:
    """Rows of one table as a write transaction has read and changed them.

    ids: row ids by key, of rows on the cluster. rows: rows with all columns by key, with this transaction's changes.
    complete: sets of key values for which every existing row is known.
    inserted, updated, deleted: changes that are not yet sent.
    """

    layout: TableLayout
    ids: dict[Key, Any] = field(default_factory=dict)
    rows: dict[Key, Row] = field(default_factory=dict)
    complete: list[dict[str, frozenset[Any]]] = field(default_factory=list)
    inserted: dict[Key, Row] = field(default_factory=dict)
    updated: dict[Key, Row] = field(default_factory=dict)
    deleted: dict[Key, Any] = field(default_factory=dict)

    @property
    def is_pending(self) -> bool:
        return bool(self.inserted or self.updated or self.deleted)

    def clear(self) -> None:
        """Forget all rows and discard all changes."""
        for known in (self.ids, self.rows, self.complete, self.inserted, self.updated, self.deleted):
            known.clear()

    def exists(self, key: Key) -> bool:
        """Whether a row with this key is known to exist."""
        return key in self.ids or key in self.inserted

    def remember(self, rows: Iterable[Row]) -> None:
        """Take in rows that were read, with their key and row id; the row id is removed from each."""
        for row in rows:
            key = self.layout.key_of(row)
            self.ids[key] = row.pop(ROW_ID)
            if len(row) >= len(self.layout.catalog_columns):
                self.rows[key] = {name: row[name] for name in self.layout.catalog_columns}

    def mark_complete(self, where: Sequence[Condition]) -> None:
        """Note that all rows that meet `where` have been read."""
        values = key_values(self.layout, where)
        if len(values) == len(where):
            self.complete.append({name: frozenset(each) for name, each in values.items()})

    def is_absent(self, key: Key) -> bool:
        """Whether it is known that no row has this key."""
        if self.exists(key):
            return False
        named = dict(zip(self.layout.table.key, key, strict=True))
        return any(all(named[name] in values for name, values in known.items()) for known in self.complete)

    def find(self, where: Sequence[Condition], *, whole: bool) -> list[Key] | None:
        """Keys of the rows that meet `where`, or None where only the cluster can say.

        whole: find only rows of which all columns are known.
        """
        simple: list[RowCondition] = [condition for condition in where if not isinstance(condition, Exists)]
        values = key_values(self.layout, simple)
        if len(values) < len(self.layout.table.key) or len(simple) < len(where):
            return None
        keys = list(islice(product(*(dict.fromkeys(values[name]) for name in self.layout.table.key)), _MAX_KEYS + 1))
        if len(keys) > _MAX_KEYS:
            return None
        other = [condition for condition in simple if not fixes_key(self.layout, condition)]
        found = []
        for key in keys:
            if self.exists(key):
                row = self.rows.get(key)
                if row is None and (whole or other):
                    return None
                if not other or (row is not None and matches(self.layout, row, other)):
                    found.append(key)
            elif not self.is_absent(key):
                return None
        return found

    def insert(self, key: Key, row: Row) -> None:
        """Add a row. Where one with the same key is about to be deleted, update that instead."""
        self.rows[key] = row
        if key in self.deleted:
            self.ids[key] = self.deleted.pop(key)
            if values := {name: value for name, value in row.items() if name not in self.layout.table.key}:
                self.updated[key] = values
        else:
            self.inserted[key] = row

    def update(self, key: Key, values: Row) -> None:
        """Set columns, none of them in the key, of an existing row."""
        if key in self.inserted:
            self.inserted[key].update(values)
            return
        self.updated.setdefault(key, {}).update(values)
        if key in self.rows:
            self.rows[key].update(values)

    def delete(self, key: Key) -> None:
        """Delete an existing row. Its key is then known to be free."""
        if self.inserted.pop(key, None) is None:
            self.deleted[key] = self.ids.pop(key)
        self.updated.pop(key, None)
        self.rows.pop(key, None)
        if not self.is_absent(key):
            free = zip(self.layout.table.key, key, strict=True)
            self.complete.append({name: frozenset([value]) for name, value in free})
