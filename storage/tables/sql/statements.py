"""Statements compiled once for each shape: everything about a statement but the values of its parameters."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa

from storage.tables.conditions import Condition
from storage.tables.schema import TABLES
from storage.tables.sql.bounds import Place, with_one_bound, without_fixed_columns
from storage.tables.sql.clauses import Clause, Clauses, NewParameter, Shape
from storage.tables.sql.compiled import Statement, compile_statement
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
        self.clauses = clauses
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
            self.clauses.shape(table, where, values),
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
                bound = self.clauses.bind(table, where, new)
                here = None if after is None else new_place(table, order, new)
                there = None if until is None else new_place(table, order, new)
                query = self.query(table, bound, order, descending, here, there)
                if limit is not None:
                    query = query.limit(new(sa.BigInteger()))
                if offset is not None:
                    query = query.offset(new(sa.BigInteger()))
                query = query.with_only_columns(*(SQL_TABLES[table].c[name] for name in columns)) if columns else query
                query = self.with_index(query, table, bound, order)
                return lock(query) if lock else query

            statement = self._compile(shape, make, len(values))
        return statement, statement.parameters(values)

    def insert(self, table: str) -> Statement:
        """The statement that inserts a row. Its values are all columns of the table in their order."""
        shape = ("insert", table)
        return self._kept.get(shape) or self._compile(shape, partial(_insert, table))

    def update(self, table: str, where: Sequence[Condition], changes: Mapping[str, Any]) -> tuple[Statement, list[Any]]:
        """The statement that updates rows, and its parameters."""
        values = list(changes.values())
        shape = ("update", table, tuple(changes), self.clauses.shape(table, where, values))
        statement = self._kept.get(shape)
        if statement is None:

            def make(new: NewParameter) -> sa.Update:
                made = {name: new(SQL_TABLES[table].c[name].type) for name in changes}
                bound = self.clauses.bind(table, where, new)
                update = sa.update(SQL_TABLES[table]).where(*self.clauses.where(table, bound)).values(made)
                return self.with_index(update, table, bound)

            statement = self._compile(shape, make, len(values))
        return statement, statement.parameters(values)

    def delete(self, table: str, where: Sequence[Condition]) -> tuple[Statement, list[Any]]:
        """The statement that deletes rows, and its parameters."""
        values: list[Any] = []
        shape = ("delete", table, self.clauses.shape(table, where, values))
        statement = self._kept.get(shape)
        if statement is None:

            def make(new: NewParameter) -> sa.Delete:
                bound = self.clauses.bind(table, where, new)
                delete = sa.delete(SQL_TABLES[table]).where(*self.clauses.where(table, bound))
                return self.with_index(delete, table, bound)

            statement = self._compile(shape, make, len(values))
        return statement, statement.parameters(values)

    def compiled(self, shape: Shape, make: Make, count: int | None = None) -> Statement:
        """A statement of another module, which `make` makes. count: how many values its shape has."""
        return self._kept.get(shape) or self._compile(shape, make, count)

    def query(
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
        query = sa.select(source).where(*self.clauses.where(table, bound))
        keys = [source.c[name] for name in order]
        if after is not None:
            here, there = sa.tuple_(*keys), sa.tuple_(*after)
            query = query.where(here < there if descending else here > there)
        if until is not None:
            here, there = sa.tuple_(*keys), sa.tuple_(*until)
            query = query.where(here >= there if descending else here <= there)
        return query.order_by(*(key.desc() if descending else key for key in keys)) if keys else query

    def with_index(self, statement: T, table: str, bound: Sequence[Clause], order: Sequence[str] = ()) -> T:
        """The statement, with the index that the database is to use."""
        index = self.clauses.index_for(table, bound, order)
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


def new_place(table: str, order: Sequence[str], new: NewParameter) -> list[sa.BindParameter[Any]]:
    """Parameters for the values of the columns of an order."""
    return [new(SQL_TABLES[table].c[name].type) for name in order]


def _insert(table: str, new: NewParameter) -> sa.Insert:
    columns = SQL_TABLES[table].c
    made = {column.name: new(columns[column.name].type) for column in TABLES[table].columns}
    return sa.insert(SQL_TABLES[table]).values(made)
