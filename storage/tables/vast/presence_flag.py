"""Presence flags: whether any row of a table meets a condition, stored where writers look anyway.

storage.tables.schema declares them. A flag is one more row of the table `read_with`, whose rows are locks; a writer
reads it together with the row that it locks, so that it costs no request. A transaction that changes the facts updates
this row too, even if its value stays the same, so that of two concurrent changes one fails. So a flag never says that
no row meets the condition while one does.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from storage.tables.conditions import Compare, Condition
from storage.tables.schema import TABLES
from storage.tables.transaction import Row
from storage.tables.vast.layout import HOLDERS, LOCK_TABLES

SOME, NONE = "some", "none"
"""The values of a flag, in column `holders` of its row."""


@dataclass(frozen=True, slots=True)
class StoredFlag:
    """A flag about the rows of `table` that meet `condition`, stored in the table `carrier`."""

    table: str
    condition: Compare
    carrier: str


def stored_flags() -> dict[str, StoredFlag]:
    """The flags that the schema declares, by carrier. Raises ValueError for one that cannot be stored."""
    flags: dict[str, StoredFlag] = {}
    for table in TABLES.values():
        for flag in table.presence_flags:
            if flag.read_with not in LOCK_TABLES.values():
                raise ValueError(f"presence flag {flag.name}: no row of {flag.read_with} is a lock")
            if flag.read_with in flags:
                raise ValueError(f"presence flag {flag.name}: {flag.read_with} has a flag already, and room for one")
            flags[flag.read_with] = StoredFlag(table.name, flag.condition, flag.read_with)
    return flags


FLAGS = stored_flags()


@dataclass
class TransactionFlags:
    """What one write transaction knows about the flags. unset: carriers whose flag says NONE; outdated: those whose
    facts this transaction has changed."""

    unset: set[str] = field(default_factory=set)
    outdated: set[str] = field(default_factory=set)

    def clear(self) -> None:
        self.unset.clear()
        self.outdated.clear()

    def remember(self, carrier: str, row: Row | None) -> None:
        """Take in a flag's row as it was read; a missing row says nothing."""
        if row is not None and row[HOLDERS.name] == NONE:
            self.unset.add(carrier)
        else:
            self.unset.discard(carrier)

    def rule_out(self, table: str, where: Sequence[Condition]) -> bool:
        """Whether no row of `table` can meet `where`, going by the flags."""
        return any(
            flag.table == table and flag.condition in where and flag.carrier in self.unset - self.outdated
            for flag in FLAGS.values()
        )

    def note_change(self, table: str, columns: Collection[str] | None = None) -> None:
        """Rows of `table` were inserted or deleted, or these columns of them updated."""
        for flag in FLAGS.values():
            if flag.table == table and (columns is None or flag.condition.column in columns):
                self.outdated.add(flag.carrier)
