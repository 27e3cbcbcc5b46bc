"""Conditions of a query, all of which must hold (AND). Every engine supports all of them.

They are few on purpose: one column compared with literals, the existence of rows in another table, overlap of spans.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Operator = Literal["==", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Compare:
    """column operator value. Never holds if the column is null."""

    column: str
    operator: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class In:
    """The column equals one of `values`. Never holds if there are none."""

    column: str
    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Overlaps:
    """The row's span (Table.span) overlaps [start, end), in ns.

    Must be combined with equality on the span's owner column. Spans of one owner never overlap each other, so that an
    engine finds the first matching row with one index lookup.
    """

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Exists:
    """`table` has a row that meets all of `where` and whose `column` equals this row's `outer`.

    present: False requires that it has no such row.
    """

    table: str
    column: str
    outer: str
    where: "tuple[Condition, ...]" = ()
    present: bool = True


Condition = Compare | In | Overlaps | Exists


def equals(**columns: Any) -> tuple[Condition, ...]:
    """The conditions that each of these columns has the given value."""
    return tuple(Compare(column, "==", value) for column, value in columns.items())


def fixed_columns(where: Sequence[Any]) -> dict[str, Any]:
    """The columns that have one value in all rows that meet these conditions, with that value."""
    return {each.column: each.value for each in where if isinstance(each, Compare) and each.operator == "=="}
