"""The index by which SQLite finds the rows of a statement, chosen by the form of the statement alone.

Without statistics SQLite prefers the key even if it leads to a whole flow and an index to one object in it. With old
statistics it may read a whole table, because the table was short once. So the statement names the index.
"""

from collections.abc import Sequence
from functools import cache
from itertools import takewhile

import sqlalchemy as sa

from storage.tables.conditions import Compare, In
from storage.tables.schema import TABLES
from storage.tables.sql.clauses import Clause
from storage.tables.sql.tables import SQL_TABLES


@cache
def _indexes(table: str) -> dict[str, tuple[str, ...]]:
    """The columns of each index, the key first. Indexes of hashes are left out, which only PostgreSQL has."""
    found = {f"sqlite_autoindex_{table}_1": TABLES[table].key}
    for index in sorted(SQL_TABLES[table].indexes, key=lambda index: str(index.name)):
        names = tuple(each.name for each in index.expressions if isinstance(each, sa.Column))
        if len(names) == len(index.expressions):
            found[str(index.name)] = names
    return found


def best_index(table: str, where: Sequence[Clause], order: Sequence[str]) -> str | None:
    """The index to name. None if none leads to fewer rows than the whole table.

    It is an index in the order of the rows, or else the key, that begins with the most columns of which `where` names
    values; of two with as many, the one whose next column is bounded.
    """
    compared = [each for each in where if isinstance(each, Compare)]
    equal = {each.column for each in compared if each.operator == "=="}
    bounded = {each.column for each in compared if each.operator not in ("==", "!=")} - equal
    named = equal | {each.column for each in where if isinstance(each, In)}
    sorted_by = tuple(name for name in order if name not in equal)
    key = TABLES[table].key
    best, most = None, (False, 0, False)
    for index, names in _indexes(table).items():
        count = len(list(takewhile(named.__contains__, names)))
        in_order = tuple(name for name in names if name not in equal)[: len(sorted_by)] == sorted_by
        is_bounded = not bounded.isdisjoint(names[count : count + 1])
        # The rows of whole keys are few enough to sort.
        fit = (in_order or named.issuperset(key), count, is_bounded)
        if (count or is_bounded) and fit > most and (in_order or names == key):
            best, most = index, fit
    return best
