"""Fills a catalogue with many rows, by copying rows that the server itself has made.

The copies are made by the database: `INSERT INTO t SELECT ... FROM t, series`, with expressions for the columns that
differ. So a row has all columns that this release of the server gives it, and a million rows take seconds.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from storage.tables.database_url import sqlite_file

_BATCH = 100_000
_EXCLUSIONS = (
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'x' AND conrelid = '{}'::regclass"
)


class Seeder:
    """A connection to an SQLite file or a PostgreSQL database, past the server.

    Expressions are SQL that both understand, over the number `n` of the copy and the columns of the original, `t.*`.
    """

    def __init__(self, connection: Any, *, sqlite: bool) -> None:
        self._connection = connection
        self._sqlite = sqlite

    def copy(
        self,
        table: str,
        where: str,
        numbers: range,
        changed: Mapping[str, str],
        progress: Callable[[int], None] = lambda _: None,
        only: str = "1 = 1",
    ) -> None:
        """Copy the row of `table` for which `where` holds, once for each of `numbers` for which `only` holds.

        changed: expressions by column. Columns that the table does not have are left out.
        progress: called with the number of copies so far.
        """
        columns = self._columns(table)
        values = [changed.get(name, f"t.{name}") for name in columns]
        for first in range(numbers.start, numbers.stop, _BATCH):
            last = min(first + _BATCH, numbers.stop) - 1
            self.execute(
                f"{self._series(first, last)} INSERT INTO {table} ({', '.join(columns)}) "
                f"SELECT {', '.join(values)} FROM {table} AS t, series WHERE ({where}) AND ({only}) ORDER BY 1, 2"
            )
            self._connection.commit()
            progress(last + 1)

    @contextmanager
    def unconstrained(self, table: str) -> Iterator[None]:
        """Drop the exclusion constraints of a table for the block: checking them row by row takes most of the time."""
        found = [] if self._sqlite else self.execute(_EXCLUSIONS.format(table))
        for name, _ in found:
            self.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        yield
        for name, definition in found:
            self.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(statement)
        return [] if cursor.description is None else cursor.fetchall()

    def finish(self) -> None:
        """Commit, and give PostgreSQL the statistics that autovacuum would gather. SQLite's are left as they are."""
        self._connection.commit()
        if not self._sqlite:
            self._connection.autocommit = True
            self.execute("VACUUM ANALYZE")

    def hex8(self, expression: str) -> str:
        """Eight hexadecimal digits of a number below 2^32."""
        return f"printf('%08x', {expression})" if self._sqlite else f"lpad(to_hex({expression}), 8, '0')"

    def uuid(self, kind: int, number: str = "n") -> str:
        """A UUID made of `kind` (below 2^16) and a number below 2^32, which does not sort as the number does."""
        scattered = self.hex8(f"(({number}) * CAST(2654435761 AS BIGINT)) % 4294967296")
        return f"{scattered} || '-{kind:04x}-4000-8000-0000' || {self.hex8(f'CAST({number} AS BIGINT)')}"

    def json(self, expression: str) -> str:
        """A text with JSON, as a value of a column of documents."""
        return f"({expression})" if self._sqlite else f"CAST({expression} AS json)"

    def text(self, column: str) -> str:
        """A column of documents as text."""
        return column if self._sqlite else f"CAST({column} AS text)"

    def _series(self, first: int, last: int) -> str:
        if not self._sqlite:
            return f"WITH series AS (SELECT CAST(n AS BIGINT) AS n FROM generate_series({first}, {last}) AS s(n))"
        return f"WITH RECURSIVE series(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM series WHERE n < {last})"

    def _columns(self, table: str) -> list[str]:
        if self._sqlite:
            return [row[1] for row in self.execute(f"PRAGMA table_info({table})")]
        query = (
            f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"
        )
        return [row[0] for row in self.execute(query)]


def uuid_text(kind: int, number: int) -> str:
    """The UUID that Seeder.uuid makes."""
    return f"{number * 2654435761 % 2**32:08x}-{kind:04x}-4000-8000-0000{number:08x}"


@contextmanager
def seeding(database: str) -> Iterator[Seeder]:
    """A Seeder for the database of this URL, whose tables exist."""
    if database.startswith("sqlite:"):
        file = sqlite3.connect(sqlite_file(database), isolation_level="DEFERRED")
        for pragma in ("synchronous = OFF", "cache_size = -400000", "temp_store = MEMORY"):
            file.execute(f"PRAGMA {pragma}")
        seeder = Seeder(file, sqlite=True)
    else:
        server = psycopg.connect(database.replace("+psycopg", ""))
        server.execute("SET maintenance_work_mem = '256MB'")
        server.execute("SET work_mem = '128MB'")
        seeder = Seeder(server, sqlite=False)
    try:
        yield seeder
        seeder.finish()
    finally:
        seeder._connection.close()
