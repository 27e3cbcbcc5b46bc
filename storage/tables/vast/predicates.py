"""Conditions, translated for the SDK (an AND of comparisons of one column each) or applied to rows that are known."""

import operator
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any

from storage.tables.conditions import Compare, Condition, In, Overlaps
from storage.tables.transaction import Row
from storage.tables.vast.layout import TableLayout

MAX_LIST = 2000
"""The most values of one `In` in one request."""

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1

RowCondition = Compare | In | Overlaps
"""Conditions on the row itself, without other tables."""

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def span_columns(layout: TableLayout) -> tuple[str, str, str]:
    """The owner, start and end columns of a table with spans. Raises ValueError where it has none."""
    if layout.table.span is None:
        raise ValueError(f"table {layout.name} has no span")
    return layout.table.span


def simplify(layout: TableLayout, where: Iterable[RowCondition]) -> list[Compare | In] | None:
    """`where` in terms that a cluster can compare: no overlaps, nulls, orders of booleans or numbers beyond int64.

    Returns None where no row can meet `where`.
    """
    conditions: list[Compare | In] = []
    for condition in where:
        match condition:
            case Overlaps(start, end):
                _, start_column, end_column = span_columns(layout)
                conditions += [Compare(start_column, "<", end), Compare(end_column, ">", start)]
            case In(column, values):
                distinct = list(dict.fromkeys(value for value in values if value is not None))
                if not distinct:
                    return None
                conditions.append(_one_of(column, distinct))
            case Compare(column, sign, value):
                if value is None:
                    return None
                if layout.columns[column].type == "bool" and sign != "==":
                    allowed = [truth for truth in (False, True) if _OPERATORS[sign](truth, value)]
                    if not allowed:
                        return None
                    conditions.append(_one_of(column, allowed))
                elif layout.columns[column].type == "int64" and not _INT64_MIN <= value <= _INT64_MAX:
                    if sign not in (("!=", ">", ">=") if value < _INT64_MIN else ("!=", "<", "<=")):
                        return None
                    conditions.append(Compare(column, ">=", _INT64_MIN))
                else:
                    conditions.append(condition)
    return conditions


def _one_of(column: str, values: Sequence[Any]) -> Compare | In:
    return In(column, values) if len(values) > 1 else Compare(column, "==", values[0])


def to_ibis(columns: Any, conditions: Sequence[Compare | In]) -> Any:
    """The ibis expression of `conditions` on `columns` (an ibis table); None where there are no conditions."""
    terms = []
    for condition in conditions:
        match condition:
            case In(column, values):
                terms.append(columns[column].isin(list(values)))
            case Compare(column, sign, value):
                terms.append(_OPERATORS[sign](columns[column], value))
    return reduce(operator.and_, terms) if terms else None


def split_long_lists(conditions: Sequence[Compare | In]) -> Iterable[list[Compare | In]]:
    """`conditions` as several queries, none of which has a list longer than MAX_LIST."""
    for at, condition in enumerate(conditions):
        if isinstance(condition, In) and len(condition.values) > MAX_LIST:
            for start in range(0, len(condition.values), MAX_LIST):
                part = In(condition.column, condition.values[start : start + MAX_LIST])
                yield from split_long_lists([*conditions[:at], part, *conditions[at + 1 :]])
            return
    yield list(conditions)


def matches(layout: TableLayout, row: Row, where: Iterable[RowCondition]) -> bool:
    """Whether a row that was read before meets all of `where`."""
    conditions = simplify(layout, where)
    if conditions is None:
        return False
    for condition in conditions:
        value = row[condition.column]
        if value is None:
            return False
        if isinstance(condition, In):
            if value not in condition.values:
                return False
        elif not _OPERATORS[condition.operator](value, condition.value):
            return False
    return True


def fixes_key(layout: TableLayout, condition: Condition) -> bool:
    """Whether `condition` restricts a key column to listed values."""
    if isinstance(condition, Compare):
        return condition.operator == "==" and condition.column in layout.table.key
    return isinstance(condition, In) and condition.column in layout.table.key


def key_values(layout: TableLayout, where: Iterable[Condition]) -> dict[str, list[Any]]:
    """The values to which `where` restricts key columns, by column."""
    by_column: dict[str, list[Any]] = {}
    for condition in where:
        if isinstance(condition, Compare | In) and fixes_key(layout, condition):
            values = list(condition.values) if isinstance(condition, In) else [condition.value]
            known = by_column.get(condition.column)
            by_column[condition.column] = values if known is None else [value for value in known if value in values]
    return by_column
