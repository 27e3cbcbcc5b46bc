"""Databases filled with the rows of tests.engines.listed_rows, and the plans of statements there."""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.tables import open_engine
from storage.tables.engine import Engine
from storage.tables.schema import TABLES
from storage.tables.sql.transaction import SqlTransaction
from tests.engines import listed_rows
from tests.servers.postgres import PostgresServer

_MOST_ROWS = 12_000
"""What PostgreSQL may read for one statement out of 100,000 rows: the bounded look, not the table."""


@dataclass
class Database:
    """A filled database.

    explain: returns what is wrong with the plan of a statement; None if nothing is.
    set_statistics: makes the statistics of the database, or removes them.
    """

    engine: Engine
    explain: Callable[[SqlTransaction, str, Sequence[Any]], str | None]
    set_statistics: Callable[[bool], None]

    def fault(self, sql: str, parameters: Sequence[Any]) -> str | None:
        with self.engine.read() as tx:
            assert isinstance(tx, SqlTransaction)
            return self.explain(tx, sql, parameters)


@contextmanager
def sqlite_database(folder: Path, rows: int, **options: Any) -> Iterator[Database]:
    """options: those of listed_rows.statements."""
    file = folder / f"catalogue-{rows}.sqlite"
    engine = open_engine(f"sqlite:///{file}")
    engine.create()
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in ("PRAGMA synchronous = OFF", "PRAGMA cache_size = -200000", "BEGIN"):
            connection.execute(statement)
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        with _without_indexes(connection.execute, connection.execute(query).fetchall()):
            listed_rows.fill(connection.execute, rows, **options)
        connection.execute("COMMIT")

        def set_statistics(present: bool) -> None:
            connection.execute("ANALYZE")
            if not present:
                connection.execute("DROP TABLE sqlite_stat1")

        yield Database(engine, _fault_in_sqlite, set_statistics)
    engine.close()


@contextmanager
def postgres_database(server: PostgresServer, rows: int, **options: Any) -> Iterator[Database]:
    """options: those of listed_rows.statements."""
    name = server.new_database()
    engine = open_engine(server.url(name))
    engine.create()
    with server.connect(name) as connection:
        execute: Callable[[str], Any] = connection.execute
        for table in TABLES:
            execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        query = (
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
            " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        )
        with _without_indexes(execute, execute(query).fetchall()), connection.transaction():
            listed_rows.fill(execute, rows, **options)

        def set_statistics(present: bool) -> None:
            execute("ANALYZE" if present else "DELETE FROM pg_statistic")

        yield Database(engine, _fault_in_postgres, set_statistics)
    engine.close()
    server.drop_database(name)


@contextmanager
def _without_indexes(execute: Callable[[str], Any], indexes: Sequence[tuple[str, str]]) -> Iterator[None]:
    """Create the indexes, by name and statement, after the rows, which is much faster."""
    for name, _ in indexes:
        execute(f"DROP INDEX {name}")
    yield
    for _, statement in indexes:
        execute(statement)


def _fault_in_sqlite(tx: SqlTransaction, sql: str, parameters: Sequence[Any]) -> str | None:
    steps: list[str] = [row[3] for row in tx._execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()]
    tables = re.findall(r"\b(?:FROM|UPDATE) (\w+)", sql)
    by_key = any(re.match(rf"SEARCH {tables[0]} USING (INDEX|PRIMARY KEY).*\(\w*id=\?", step) for step in steps)
    subqueries = {step.split()[-1] for step in steps if step.startswith(("CO-ROUTINE", "MATERIALIZE"))}
    for step in steps:
        scans = step.startswith("SCAN") and step.split()[1] not in subqueries and "VIRTUAL TABLE" not in step
        if scans and (" INDEX " not in step or "LIMIT" not in sql):
            return step
        if " AUTOMATIC " in step:  # An index of the whole table, made for this statement alone.
            return step
        if step.startswith("USE TEMP B-TREE") and not by_key:
            return step
    return None


def _fault_in_postgres(tx: SqlTransaction, sql: str, parameters: Sequence[Any]) -> str | None:
    plan = tx._execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters).fetchone()[0][0]["Plan"]
    steps = list(_steps(plan))
    scanned = [step["Relation Name"] for step in steps if step["Node Type"] == "Seq Scan"]
    if scanned:
        return f"Seq Scan of {scanned}"
    read = sum((step["Actual Rows"] + step.get("Rows Removed by Filter", 0)) * step["Actual Loops"] for step in steps)
    return f"{read} rows are read by {[step['Node Type'] for step in steps]}" if read > _MOST_ROWS else None


def _steps(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _steps(inner)
