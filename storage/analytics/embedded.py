"""DuckDB over a snapshot of the catalogue: the columns that a query needs are read into memory, then the query runs.

Its SQL reaches no file and no network, cannot change a setting, and is bounded in memory and time.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from storage import error_codes
from storage.analytics.arrow_readers import Snapshot
from storage.analytics.dialect import BASE, VISIBLE, Statement
from storage.analytics.limits import Limits
from storage.analytics.result import Result, read_result
from storage.errors import Invalid, TamsError, TooExpensive, Unavailable
from storage.tables.schema import TABLES

_LOCKED_DOWN = (
    # What does not fit into memory is an error: there is no file to put it.
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET TimeZone = 'UTC'",
    "SET arrow_large_buffer_size = false",
    "SET preserve_insertion_order = false",
    "SET lock_configuration = true",
)
_TYPES = {"string": "VARCHAR", "int64": "BIGINT", "bool": "BOOLEAN", "json": "VARCHAR"}


def run_embedded(
    snapshot: Snapshot, statement: Statement, limits: Limits, visible: Mapping[str, Sequence[str]]
) -> Result:
    """Run a statement in DuckDB's SQL over the tables of a snapshot.

    visible: as in storage.analytics.request.Query.
    Raises: TooExpensive; Invalid if DuckDB rejects the query; storage.errors.Unavailable.
    """
    with _database(limits) as connection, _deadline(connection, limits.timeout_s), _errors_translated(limits):
        connection.execute(f"CREATE SCHEMA {BASE}; CREATE SCHEMA {VISIBLE}")
        for name, ids in visible.items():
            _fill(connection, f"{VISIBLE}.{name}", "id", pa.table({"id": pa.array(ids, pa.string())}).to_reader())
        for table, columns in statement.reads.items():
            needed = columns or TABLES[table].key[:1]
            with snapshot.read(table, needed) as reader:
                _fill(connection, f'{BASE}."{table}"', _casts(table, needed, snapshot.null_text), reader)
        with _rejections_translated():
            return read_result(_batches(connection, statement.sql), limits)


@contextmanager
def _database(limits: Limits) -> Iterator[duckdb.DuckDBPyConnection]:
    config: dict[str, Any] = {"threads": limits.threads, "memory_limit": f"{limits.memory // 2**20}MiB"}
    with duckdb.connect(":memory:", config=config) as connection:
        for setting in _LOCKED_DOWN:
            connection.execute(setting)
        yield connection


@contextmanager
def _deadline(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt what the connection runs once the time is over."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def _errors_translated(limits: Limits) -> Iterator[None]:
    try:
        yield
    except duckdb.InterruptException:
        raise TooExpensive(f"the query needs more than {limits.timeout_s:g} s") from None
    except duckdb.OutOfMemoryException:
        raise TooExpensive(f"the query needs more than {limits.memory // 2**20} MiB of memory") from None


@contextmanager
def _rejections_translated() -> Iterator[None]:
    try:
        yield
    except (duckdb.InterruptException, duckdb.OutOfMemoryException):
        raise
    except duckdb.Error as error:
        raise Invalid(
            f"sql is rejected by DuckDB: {str(error).strip()}",
            code=error_codes.ANALYTICS_SQL,
            field="sql",
            behaviour="A90",
        ) from None


def _fill(connection: duckdb.DuckDBPyConnection, table: str, columns: str, reader: pa.RecordBatchReader) -> None:
    connection.register("incoming", reader)
    try:
        connection.execute(f"CREATE TABLE {table} AS SELECT {columns} FROM incoming")
    except duckdb.InvalidInputException as error:  # How DuckDB reports that the driver of the database failed.
        raise _read_error(error) from error
    finally:
        connection.unregister("incoming")


def _read_error(error: duckdb.Error) -> TamsError:
    if "Out of memory" in str(error):
        return TooExpensive("the query needs more memory than it may have")
    return Unavailable("the catalogue cannot be read at the moment")


def _casts(table: str, names: Sequence[str], null_text: str | None) -> str:
    """The columns of a table from those of a snapshot, with the types that they are declared with.

    null_text: as in Snapshot.
    """
    declared = {column.name: column for column in TABLES[table].columns}
    parts = []
    for name in names:
        column = declared[name]
        given = f'CAST("{name}" AS {_TYPES[column.type]})'  # Of a table without rows, columns have no type.
        if null_text is not None and column.nullable and column.type == "string":
            given = f"nullif({given}, '{null_text}')"
        parts.append(f'{given} AS "{name}"')
    return ", ".join(parts)


def _batches(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.RecordBatchReader:
    return connection.sql(sql).to_arrow_reader(10_000)
