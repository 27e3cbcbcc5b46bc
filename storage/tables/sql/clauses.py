"""Conditions as SQLAlchemy clauses whose values are parameters, so that one statement serves all values."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.tables.conditions import Compare, Condition, Exists, In, Overlaps
from storage.tables.schema import TABLES
from storage.tables.sql.bounds import OverlapsFrom
from storage.tables.sql.tables import SQL_TABLES

Shape = tuple[Any, ...]
"""What conditions are apart from their values. Conditions of one shape make the same statement."""
NewParameter = Callable[[sa.types.TypeEngine[Any]], sa.BindParameter[Any]]
"""Adds a parameter of this type to a statement."""

_OPERATORS: dict[str, Callable[[Any, Any], sa.ColumnElement[bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TIME = sa.BigInteger()


@dataclass(frozen=True, slots=True)
class Checked:
    """A condition that is to have no part in how the rows are found: it uses no index, and makes no join."""

    condition: Condition


Clause = Condition | Checked


class Clauses:
    """Translates conditions. Subclasses add what differs between databases.

    `shape` and `bind` go through the conditions in the same order, so that the values that `shape` collects belong to
    the parameters that `bind` makes.

    merges_unions: the database reads the parts of a union in step, no further than necessary.
    compares_hashes: texts in columns declared as hashed are compared by their hashes first.
    """

    compares_hashes = False
    merges_unions = False

    def shape(self, table: str, where: Sequence[Clause], values: list[Any]) -> Shape:
        """Return the shape of `where`, and append its values to `values`."""
        shape: list[Any] = []
        for condition in where:
            match condition:
                case Compare(column, sign, value):
                    shape.append((column, sign))
                    values.append(value)
                case In(column, items):
                    shape.append((column, self._shape_of_list(table, column, items, values)))
                case OverlapsFrom(start, end, floor):
                    shape.append("overlaps from")
                    values += (start, end, floor)
                case Overlaps(start, end):
                    shape.append("overlaps")
                    values += (start, end)
                case Exists(inner, column, outer, inner_where, present):
                    shape.append((inner, column, outer, present, self.shape(inner, inner_where, values)))
                case Checked(checked):
                    shape.append(("checked", self.shape(table, (checked,), values)))
        return tuple(shape)

    def bind(self, table: str, where: Sequence[Clause], new: NewParameter) -> list[Clause]:
        """Return `where` with parameters in place of values, which `where` then makes into clauses."""
        return [
            Checked(self._bind(table, each.condition, new))
            if isinstance(each, Checked)
            else self._bind(table, each, new)
            for each in where
        ]

    def _bind(self, table: str, condition: Condition, new: NewParameter) -> Condition:
        match condition:
            case Compare(column, sign, _):
                return Compare(column, sign, new(SQL_TABLES[table].c[column].type))
            case In(column, items):
                return self._bind_list(table, column, items, new)
            case OverlapsFrom():
                return OverlapsFrom(new(_TIME), new(_TIME), new(_TIME))  # type: ignore[arg-type]
            case Overlaps():
                return Overlaps(new(_TIME), new(_TIME))  # type: ignore[arg-type]
            case Exists(inner, column, outer, where, present):
                return Exists(inner, column, outer, tuple(self._bind(inner, each, new) for each in where), present)

    def where(self, name: str, bound: Sequence[Clause]) -> list[sa.ColumnElement[bool]]:
        """Return the clauses of bound conditions on the table called `name`."""
        span = TABLES[name].span
        spans = any(isinstance(condition, Overlaps) for condition in bound)
        owner = _owner(span[0], bound) if span and spans else None
        return [self._clause(SQL_TABLES[name], name, condition, owner) for condition in bound]

    def _shape_of_list(self, table: str, column: str, items: Sequence[Any], values: list[Any]) -> Any:
        """The shape of "in `items`", whose values are appended to `values`.

        A list of one item is as good as equality. The length of other lists does not matter, or hardly.
        """
        if len(items) < 2:
            values += items
            return "==" if items else "in nothing"
        if self._is_hashed(table, column):
            size = 1 << (len(items) - 1).bit_length()
            values += items
            values += [items[-1]] * (size - len(items))
            return ("in", size)
        values.append(self.list_value(items))
        return "in"

    def _bind_list(self, table: str, column: str, items: Sequence[Any], new: NewParameter) -> Condition:
        """The condition "in `items`" with parameters, as many as `_shape_of_list` has appended values."""
        type_ = SQL_TABLES[table].c[column].type
        if len(items) < 2:
            return Compare(column, "==", new(type_)) if items else In(column, ())
        if self._is_hashed(table, column):
            return In(column, [new(type_) for _ in range(1 << (len(items) - 1).bit_length())])
        return In(column, new(self.list_type(type_)))  # type: ignore[arg-type]

    def _is_hashed(self, table: str, column: str) -> bool:
        return self.compares_hashes and column in TABLES[table].hashed

    def _clause(self, table: sa.FromClause, name: str, condition: Clause, owner: Any) -> sa.ColumnElement[bool]:
        """`condition` as a clause on `table`, which is the table called `name` or an alias of it."""
        match condition:
            case Compare(column, "==", value) if self._is_hashed(name, column):
                return self.is_hashed_text(table.c[column], [value])
            case Compare(column, sign, value):
                return _OPERATORS[sign](table.c[column], value)
            case In(column, ()):
                return sa.false()
            case In(column, values) if self._is_hashed(name, column):
                return self.is_hashed_text(table.c[column], values)
            case In(column, values):
                return self.is_in(table.c[column], values)
            case OverlapsFrom(start, end, floor):
                return self._overlap(table, name, owner, start, end, floor)
            case Overlaps(start, end):
                return self._overlap(table, name, owner, start, end)
            case Exists(inner_name, column, outer, where, present):
                inner = SQL_TABLES[inner_name].alias()
                link = table.c[outer]
                clauses = [self._clause_of_linked(inner, inner_name, c, link) for c in where]
                rows: sa.Select[Any] = sa.select(sa.literal_column("1")).where(inner.c[column] == link, *clauses)
                # A join could begin with the other table, most of whose rows may meet the conditions.
                rows = self.keep_correlated(rows)
                return sa.exists(rows) if present else ~sa.exists(rows)
            case Checked(checked):
                return self._clause(table, name, checked, owner).is_(sa.true())

    def _clause_of_linked(
        self, table: sa.FromClause, name: str, condition: Condition, link: Any
    ) -> sa.ColumnElement[bool]:
        """A condition on the few rows of another table that belong to one row."""
        is_list = isinstance(condition, In) and not isinstance(condition.values, tuple)
        if isinstance(condition, In) and is_list and not self._is_hashed(name, condition.column):
            return self.is_in_of_few(table.c[condition.column], condition.values)
        return self._clause(table, name, condition, link)

    def _overlap(
        self, table: sa.FromClause, name: str, owner: Any, start: Any, end: Any, floor: Any = None
    ) -> sa.ColumnElement[bool]:
        """Rows from the first that ends after `start` (one index lookup) to the last that starts before `end`.

        floor: no row that starts before this.
        """
        span = TABLES[name].span
        if span is None:
            raise ValueError(f"table {name} has no span")
        owner_column, start_column, end_column = span
        other = SQL_TABLES[name].alias()
        first = (
            sa.select(other.c[start_column])
            .where(other.c[owner_column] == owner, other.c[end_column] > start)
            .order_by(other.c[end_column])
            .limit(1)
        )
        if isinstance(owner, sa.Column):
            # The owner's table belongs to a query two levels up; SQLAlchemy would add it to this one.
            first = first.correlate(owner.table)
        bounds = [first.scalar_subquery()] if floor is None else [first.scalar_subquery(), floor]
        return sa.and_(table.c[start_column] < end, self.at_least(table.c[start_column], bounds))

    def index_for(self, table: str, bound: Sequence[Clause], order: Sequence[str]) -> str | None:
        """The name of the index to use, for databases that do not always choose well."""
        return None

    def at_least(self, column: sa.ColumnElement[int], bounds: Sequence[Any]) -> sa.ColumnElement[bool]:
        """`column` is not less than any of these, and none of them is null."""
        return sa.and_(*(column >= bound for bound in bounds))

    def list_value(self, items: Sequence[Any]) -> Any:
        """The value of the parameter that holds a list."""
        raise NotImplementedError

    def list_type(self, type_: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
        """The type of a parameter that holds a list of values of type `type_`."""
        raise NotImplementedError

    def is_in(self, column: sa.ColumnElement[Any], items: Any) -> sa.ColumnElement[bool]:
        """`column` is one of the items of the list that the parameter `items` holds."""
        raise NotImplementedError

    def is_in_of_few(self, column: sa.ColumnElement[Any], items: Any) -> sa.ColumnElement[bool]:
        """As `is_in`, where the rows that are compared are few and the list may be long: it is not to find them."""
        return self.is_in(column, items)

    def is_hashed_text(self, column: sa.ColumnElement[Any], texts: Sequence[Any]) -> sa.ColumnElement[bool]:
        """`column`, which is declared as hashed, is one of these texts, each of which is a parameter."""
        raise NotImplementedError

    def keep_correlated(self, rows: sa.Select[Any]) -> sa.Select[Any]:
        """The subquery `rows`, extended so that the database runs it for each outer row instead of joining."""
        return rows


def _owner(name: str, where: Sequence[Clause]) -> Any:
    """The value that `where` requires of `name`, the owner column of a span."""
    for condition in where:
        if isinstance(condition, Compare) and condition.column == name and condition.operator == "==":
            return condition.value
    raise ValueError(f"Overlaps must be combined with equality on {name}")
