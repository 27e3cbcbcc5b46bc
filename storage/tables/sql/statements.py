"""Statements compiled once for each shape: everything about a statement but the values of its parameters."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa

from storage.tables.conditions import Compare, Condition
from storage.tables.schema import TABLES
from storage.tables.sql.bounds import Place, with_one_bound, without_fixed_columns
from storage.tables.sql.clauses import Clause, Clauses, NewParameter, Shape
from storage.tables.sql.compiled import Statement, compile_statement
from storage.tables.sql.merging import Values
from storage.tables.sql.tables import SQL_TABLES

_CAPACITY = 1000
"""Statements that are kept. The catalogue makes far fewer, but conditions can be combined in many ways."""

T = TypeVar("T", sa.Select[Any], sa.Update, sa.Delete)
Make = Callable[[NewParameter], sa.Executable]
"""Makes a statement out of new parameters."""


class Statements:
    """Makes the statements of one kind of database, and keeps them for their next use, by any thread.

    dialect: with positional parameters.
    """

    def __init__(self, dialect: sa.Dialect, clauses: Clauses) -> None:
        self._dialect = dialect
        self._clauses = clauses
        self.merges_unions = clauses.merges_unions
        self._kept: dict[Shape, Statement] = {}

    def select(
        self,
        table: str,
        where: Sequence[Clause],
        order: Sequence[str] = (),
        descending: bool = False,
        after: Sequence[Any] | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
        until: Sequence[Any] | None = None,
        offset: int | None = None,
        lock: Callable[[sa.Select[Any]], sa.Select[Any]] | None = None,
    ) -> tuple[Statement, list[Any]]:
        """The statement that selects rows (storage.tables.transaction.Selection), and its parameters.

        until: values of the `order` columns; rows that sort after them are left out. offset: how many rows to skip, if
        there is a limit. lock: extends the statement to lock the rows.
        """
        place = without_fixed_columns(where, Place(order, after, until))
        order, until = place.order, place.until
        where, after = with_one_bound(table, where, order, descending, place.after)
        values: list[Any] = []
        shape = (
            table,
            self._clauses.shape(table, where, values),
            tuple(order),
            descending,
            after is not None,
            until is not None,
            limit is not None,
            offset is not None,
            None if columns is None else tuple(columns),
            lock is not None,
        )
        for bound in (after, until):
            if bound is not None:
                values += bound
        values += (number for number in (limit, offset) if number is not None)
        statement = self._kept.get(shape)
        if statement is None:

            def make(new: NewParameter) -> sa.Select[Any]:
                bound = self._clauses.bind(table, where, new)
                here = None if after is None else _new_place(table, order, new)
                there = None if until is None else _new_place(table, order, new)
                query = self._query(table, bound, order, descending, here, there)
                if limit is not None:
                    query = query.limit(new(sa.BigInteger()))
                if offset is not None:
                    query = query.offset(new(sa.BigInteger()))
                query = query.with_only_columns(*(SQL_TABLES[table].c[name] for name in columns)) if columns else query
                query = self._with_index(query, table, bound, order)
                return lock(query) if lock else query

            statement = self._compile(shape, make, len(values))
        return statement, statement.parameters(values)

    def merge(
        self,
        table: str,
        among: Values,
        order: Sequence[str],
        descending: bool,
        after: Sequence[Any] | None,
        limit: int,
    ) -> tuple[Statement, list[Any]]:
        """The statement that selects the first places of an order in rows that have one of some values.

        The database merges the rows of each value, which it reads by an index in the order, no further than necessary.
        """
        values: list[Any] = []
        shape = ("merge", len(among.values), *self._shape_of_values(table, among, order, descending, after, values))
        values += [*among.values, *(after or ()), limit]
        statement = self._kept.get(shape)
        if statement is None:

            def make(new: NewParameter) -> sa.CompoundSelect[Any]:
                bound = self._clauses.bind(table, among.where, new)
                type_ = SQL_TABLES[table].c[among.column].type
                items = [new(type_) for _ in among.values]
                place = None if after is None else _new_place(table, order, new)
                arms = [
                    self._arm(table, [*bound, Compare(among.column, "==", item)], order, descending, place)
                    for item in items
                ]
                whole = sa.union(*(arm.order_by(None) for arm in arms))
                keys = [whole.selected_columns[name] for name in order]
                return whole.order_by(*(key.desc() if descending else key for key in keys)).limit(new(sa.BigInteger()))

            statement = self._compile(shape, make, len(values))
        return statement, statement.parameters(values)

    def shares(
        self,
        table: str,
        among: Values,
        order: Sequence[str],
        descending: bool,
        after: Sequence[Any] | None,
        share: int,
        limit: int,
    ) -> tuple[Statement, list[Any]]:
        """The statement that selects the first places of an order out of the first rows of each value, up to `share`.

        After each place comes its number among those of its value.
        """
        values: list[Any] = []
        shape = ("shares", *self._shape_of_values(table, among, order, descending, after, values))
        values += [self._clauses.list_value(among.values), *(after or ()), share, limit]
        statement = self._kept.get(shape)
        if statement is None:

            def make(new: NewParameter) -> sa.Select[Any]:
                bound = self._clauses.bind(table, among.where, new)
                column = SQL_TABLES[table].c[among.column]
                listed = sa.func.unnest(new(self._clauses.list_type(column.type)))
                items = listed.table_valued("item").render_derived("items")
                place = None if after is None else _new_place(table, order, new)
                link = Compare(among.column, "==", items.c.item)
                arm = self._arm(table, [*bound, link], order, descending, place)
                keys = [SQL_TABLES[table].c[name] for name in order]
                within = sa.func.row_number().over(order_by=[key.desc() if descending else key for key in keys])
                part = arm.add_columns(within.label("number")).limit(new(sa.BigInteger())).lateral("part")
                merged = [part.c[name].desc() if descending else part.c[name] for name in order]
                whole = sa.select(*part.c).select_from(items.join(part, sa.true()))
                return whole.order_by(*merged).limit(new(sa.BigInteger()))

            statement = self._compile(shape, make, len(values))
        return statement, statement.parameters(values)

    def _shape_of_values(
        self,
        table: str,
        among: Values,
        order: Sequence[str],
        descending: bool,
        after: Sequence[Any] | None,
        values: list[Any],
    ) -> Shape:
        shape = self._clauses.shape(table, among.where, values)
        return table, shape, among.column, tuple(order), descending, after is not None

    def _arm(
        self, table: str, bound: Sequence[Clause], order: Sequence[str], descending: bool, after: Sequence[Any] | None
    ) -> sa.Select[Any]:
        """The places of an order in the rows that meet conditions, by the index that has them in this order."""
        arm = self._query(table, bound, order, descending, after, None)
        arm = arm.with_only_columns(*(SQL_TABLES[table].c[name] for name in order))
        return self._with_index(arm, table, bound, order)

    def insert(self, table: str) -> Statement:
        """The statement that inserts a row. Its values are all columns of the table in their order."""
        shape = ("insert", table)
        return self._kept.get(shape) or self._compile(shape, partial(_insert, table))

    def update(self, table: str, where: Sequence[Condition], changes: Mapping[str, Any]) -> tuple[Statement, list[Any]]:
        """The statement that updates rows, and its parameters."""
        values = list(changes.values())
        shape = ("update", table, tuple(changes), self._clauses.shape(table, where, values))
        statement = self._kept.get(shape)
        if statement is None:

            def make(new: NewParameter) -> sa.Update:
                made = {name: new(SQL_TABLES[table].c[name].type) for name in changes}
                bound = self._clauses.bind(table, where, new)
                update = sa.update(SQL_TABLES[table]).where(*self._clauses.where(table, bound)).values(made)
                return self._with_index(update, table, bound)

            statement = self._compile(shape, make, len(values))
        return statement, statement.parameters(values)

    def delete(self, table: str, where: Sequence[Condition]) -> tuple[Statement, list[Any]]:
        """The statement that deletes rows, and its parameters."""
        values: list[Any] = []
        shape = ("delete", table, self._clauses.shape(table, where, values))
        statement = self._kept.get(shape)
        if statement is None:

            def make(new: NewParameter) -> sa.Delete:
                bound = self._clauses.bind(table, where, new)
                delete = sa.delete(SQL_TABLES[table]).where(*self._clauses.where(table, bound))
                return self._with_index(delete, table, bound)

            statement = self._compile(shape, make, len(values))
        return statement, statement.parameters(values)

    def compiled(self, shape: Shape, make: Make) -> Statement:
        """A statement of a database's own, which `make` makes."""
        return self._kept.get(shape) or self._compile(shape, make)

    def _query(
        self,
        table: str,
        bound: Sequence[Clause],
        order: Sequence[str],
        descending: bool,
        after: Sequence[Any] | None,
        until: Sequence[Any] | None,
    ) -> sa.Select[Any]:
        """after, until: parameters for the values of the columns of the order; None for no limit."""
        source = SQL_TABLES[table]
        query = sa.select(source).where(*self._clauses.where(table, bound))
        keys = [source.c[name] for name in order]
        if after is not None:
            here, there = sa.tuple_(*keys), sa.tuple_(*after)
            query = query.where(here < there if descending else here > there)
        if until is not None:
            here, there = sa.tuple_(*keys), sa.tuple_(*until)
            query = query.where(here >= there if descending else here <= there)
        return query.order_by(*(key.desc() if descending else key for key in keys)) if keys else query

    def _with_index(self, statement: T, table: str, bound: Sequence[Clause], order: Sequence[str] = ()) -> T:
        """The statement, with the index that the database is to use."""
        index = self._clauses.index_for(table, bound, order)
        if index is None:
            return statement
        hint = f"INDEXED BY {index}"
        if isinstance(statement, sa.Select):
            return statement.with_hint(SQL_TABLES[table], hint)
        return statement.with_hint(hint)

    def _compile(self, shape: Shape, make: Make, count: int | None = None) -> Statement:
        """Compile the statement that `make` makes, and keep it. count: how many values its shape has."""
        parameters: list[sa.BindParameter[Any]] = []

        def new(type_: sa.types.TypeEngine[Any]) -> sa.BindParameter[Any]:
            parameters.append(sa.bindparam(f"p{len(parameters)}", type_=type_))
            return parameters[-1]

        made = make(new)
        if count is not None and count != len(parameters):
            raise AssertionError(f"{len(parameters)} parameters for {count} values in {made}")
        statement = compile_statement(made, parameters, self._dialect)
        if len(self._kept) >= _CAPACITY:
            self._kept.clear()
        self._kept[shape] = statement
        return statement


def _new_place(table: str, order: Sequence[str], new: NewParameter) -> list[sa.BindParameter[Any]]:
    """Parameters for the values of the columns of an order."""
    return [new(SQL_TABLES[table].c[name].type) for name in order]


def _insert(table: str, new: NewParameter) -> sa.Insert:
    columns = SQL_TABLES[table].c
    made = {column.name: new(columns[column.name].type) for column in TABLES[table].columns}
    return sa.insert(SQL_TABLES[table]).values(made)
