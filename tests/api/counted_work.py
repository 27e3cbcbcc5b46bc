"""What requests make the catalogue do, counted: transactions, statements and rows, which do not depend on time."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from storage.tables.sql.compiled import Statement
from storage.tables.sql.transaction import SqlTransaction
from storage.tables.sqlite import SqliteEngine

T = TypeVar("T")
Done = list[tuple[str, int]]
"""What was done, in order: a kind of transaction, a statement or "rows", each with a number."""

_OF_LOGIN = re.compile(r"\b(FROM|UPDATE|INTO) (credentials|principals)\b|\bwebhooks\.owner = ")
"""Statements about the caller, which are repeated every few seconds, whatever it asks for."""


class CountedWork:
    """Records the work of a server in this process over SQLite."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._done: Done = []
        for kind in ("read", "read_once", "write"):
            patch.setattr(SqliteEngine, kind, self._counted_transaction(kind, getattr(SqliteEngine, kind)))
        execute, execute_many, rows = SqlTransaction._execute, SqlTransaction._execute_many, Statement.rows

        def counted_execute(tx: SqlTransaction, sql: str, parameters: Sequence[Any]) -> Any:
            self._note(sql, len(parameters))
            return execute(tx, sql, parameters)

        def counted_execute_many(tx: SqlTransaction, statement: Statement, values: Sequence[list[Any]]) -> int:
            self._note(statement.sql, len(values))
            return execute_many(tx, statement, values)

        def counted_rows(statement: Statement, found: Sequence[Sequence[Any]]) -> list[Any]:
            self._note("rows", len(found))
            return rows(statement, found)

        patch.setattr(SqlTransaction, "_execute", counted_execute)
        patch.setattr(SqlTransaction, "_execute_many", counted_execute_many)
        patch.setattr(Statement, "rows", counted_rows)

    def of(self, call: Callable[[], T]) -> tuple[T, Done]:
        """What `call` returns, and what was done until then."""
        self._done.clear()
        return call(), self._without_login()

    def _note(self, what: str, number: int) -> None:
        self._done.append((what, number))

    def _without_login(self) -> Done:
        """What was done, without statements of logins, and without transactions that had no others."""
        kept: Done = []
        is_login = False
        for what, number in self._done:
            is_login = bool(_OF_LOGIN.search(what)) or (is_login and what == "rows")
            if not is_login:
                kept.append((what, number))
        return [
            each
            for each, following in zip(kept, [*kept[1:], ("end", 0)], strict=True)
            if each[0] != "begin" or following[0] not in ("begin", "end")
        ]

    def _counted_transaction(self, kind: str, open_: Callable[..., Any]) -> Callable[..., Any]:
        number = ("read", "read_once", "write").index(kind)

        @contextmanager
        def opened(engine: SqliteEngine) -> Iterator[Any]:
            self._note("begin", number)
            with open_(engine) as tx:
                yield tx

        return opened
