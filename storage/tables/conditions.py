"""What a query may ask: conditions that every engine can answer, all of which must hold (AND).

They are few on purpose: one column against literals, the existence of rows elsewhere, and overlap of spans.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Operator = Literal["==", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Compare:
    """column operator value. Never holds for a null."""

    column: str
    operator: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class In:
    """The column equals one of `values`; never holds where there are none."""

    column: str
    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Overlaps:
    """The row's span (Table.span) meets [start, end), in ns.

    Used with equality on the column that the span belongs to: spans of one owner never overlap each other, which
    lets an engine find the first of them with one look into its index.
    """

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Exists:
    """Some row of `table`, whose `column` equals this row's `outer`, meets all of `where`; or, not `present`, none."""

    table: str
    column: str
    outer: str
    where: "tuple[Condition, ...]" = ()
    present: bool = True


Condition = Compare | In | Overlaps | Exists


def equals(**columns: Any) -> tuple[Condition, ...]:
    """The conditions that each named column has the given value."""
    return tuple(Compare(column, "==", value) for column, value in columns.items())
