"""A fact that every writer of segments asks for, noted where each of them looks anyway: whether a webhook is enabled.

The notice is a row of its own beside the rows that are locks (storage.tables.vast.layout.NOTICE) and comes in the same
answer as they do. Whoever changes what it tells changes it in the same transaction, whatever it says already, so that
of two who do so at once one loses: it never says that there is none while there is one.
"""

from collections.abc import Sequence

from storage.tables.conditions import Compare, Condition
from storage.tables.engine import Row

TABLE = "webhooks"
CONDITION = Compare("enabled", "==", True)
SOME, NONE = "some", "none"
"""What the notice says in its column `holders`."""


def answers(table: str, where: Sequence[Condition]) -> bool:
    """Whether there can be no row that meets `where` if the notice says NONE."""
    return table == TABLE and CONDITION in where


def says_none(row: Row | None) -> bool:
    """Where there is no notice nothing is said."""
    return row is not None and row["holders"] == NONE
