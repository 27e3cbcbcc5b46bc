"""Conditions in the words of the SDK: an AND of comparisons of one column each; and by hand, for rows at hand."""

import operator
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any

from storage.tables.conditions import Compare, Condition, In, Overlaps
from storage.tables.engine import Row
from storage.tables.vast.layout import Form

IN_LIST = 2000
"""The longest list of values in one request."""

_LEAST, _GREATEST = -(2**63), 2**63 - 1

Simple = Compare | In | Overlaps
"""Conditions on the row itself."""

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def span_of(form: Form) -> tuple[str, str, str]:
    """The owner, start and end columns of a table with spans. Raises ValueError where it has none."""
    if form.table.span is None:
        raise ValueError(f"table {form.name} has no span")
    return form.table.span


def plain(form: Form, where: Iterable[Simple]) -> list[Compare | In] | None:
    """`where` without overlaps, and without what a cluster may not compare. None: no row can meet it."""
    conditions: list[Compare | In] = []
    for condition in where:
        match condition:
            case Overlaps(start, end):
                _, start_column, end_column = span_of(form)
                conditions += [Compare(start_column, "<", end), Compare(end_column, ">", start)]
            case In(column, values):
                chosen = list(dict.fromkeys(value for value in values if value is not None))
                if not chosen:
                    return None
                conditions.append(In(column, chosen) if len(chosen) > 1 else Compare(column, "==", chosen[0]))
            case Compare(column, sign, value):
                if value is None:
                    return None
                if form.columns[column].type == "bool" and sign != "==":
                    fitting = [truth for truth in (False, True) if _OPERATORS[sign](truth, value)]
                    if not fitting:
                        return None
                    conditions.append(In(column, fitting) if len(fitting) > 1 else Compare(column, "==", fitting[0]))
                elif form.columns[column].type == "int64" and not _LEAST <= value <= _GREATEST:
                    if sign not in (("!=", ">", ">=") if value < _LEAST else ("!=", "<", "<=")):
                        return None
                    conditions.append(Compare(column, ">=", _LEAST))
                else:
                    conditions.append(condition)
    return conditions


def expression(columns: Any, conditions: Sequence[Compare | In]) -> Any:
    """The ibis expression of `conditions` on `columns` (an ibis table); None where there are none."""
    terms = []
    for condition in conditions:
        match condition:
            case In(column, values):
                terms.append(columns[column].isin(list(values)))
            case Compare(column, sign, value):
                terms.append(_OPERATORS[sign](columns[column], value))
    return reduce(operator.and_, terms) if terms else None


def chunks(conditions: Sequence[Compare | In]) -> Iterable[list[Compare | In]]:
    """`conditions` in as many forms as it takes for no list to be too long for one request."""
    for at, condition in enumerate(conditions):
        if isinstance(condition, In) and len(condition.values) > IN_LIST:
            for start in range(0, len(condition.values), IN_LIST):
                part = In(condition.column, condition.values[start : start + IN_LIST])
                yield from chunks([*conditions[:at], part, *conditions[at + 1 :]])
            return
    yield list(conditions)


def holds(form: Form, row: Row, where: Iterable[Simple]) -> bool:
    """Whether a row that is at hand meets all of `where`."""
    conditions = plain(form, where)
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


def is_pin(form: Form, condition: Condition) -> bool:
    """Whether it binds a column of the key to values."""
    if isinstance(condition, Compare):
        return condition.operator == "==" and condition.column in form.table.key
    return isinstance(condition, In) and condition.column in form.table.key


def pins(form: Form, where: Iterable[Condition]) -> dict[str, list[Any]]:
    """The values to which `where` binds columns of the key."""
    bound: dict[str, list[Any]] = {}
    for condition in where:
        if isinstance(condition, Compare | In) and is_pin(form, condition):
            values = list(condition.values) if isinstance(condition, In) else [condition.value]
            known = bound.get(condition.column)
            bound[condition.column] = values if known is None else [value for value in known if value in values]
    return bound
