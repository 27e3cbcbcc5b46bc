"""Moves a whole catalogue between engines, as one Parquet file for each table and a manifest that proves them.

Rows are written in the order of their keys and every value in one way, so that the same catalogue gives the same bytes
from whatever engine it comes. Media stay where they are: only what is known of them is moved.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from storage.errors import Invalid
from storage.tables import import_marker
from storage.tables.engine import Engine, Reader, Row
from storage.tables.schema import TABLES, Table

MANIFEST = "manifest.json"
_FORMAT = 1
_ROWS_AT_ONCE = 10_000

_TYPES = {"string": pa.string(), "int64": pa.int64(), "bool": pa.bool_(), "json": pa.string()}

Progress = Callable[[str, int], None]
"""Told of a table's name and how many of its rows are done."""


def export_tables(engine: Engine, folder: Path, progress: Progress) -> dict[str, int]:
    """Write all tables, as they are at one moment, into `folder`, which is made; how many rows each has.

    Raises Invalid where the folder holds something already, and storage.errors.Unavailable.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Invalid(f"{folder} is not empty")
    counts = {}
    with engine.read() as tx:
        for table in TABLES.values():
            counts[table.name] = _write(tx, table, folder / f"{table.name}.parquet", progress)
    files = {name: {"rows": rows, "sha256": _digest(folder / f"{name}.parquet")} for name, rows in counts.items()}
    (folder / MANIFEST).write_text(json.dumps({"format": _FORMAT, "tables": files}, indent=2) + "\n", encoding="utf-8")
    return counts


def import_tables(engine: Engine, folder: Path, progress: Progress) -> dict[str, int]:
    """Fill the empty tables of `engine` with what is in `folder`; how many rows each got.

    Raises Invalid where the export is not whole, of another form, or the tables are not empty; and
    storage.errors.Unavailable. What was interrupted leaves a mark (storage.tables.unfinished).
    """
    expected = _manifest(folder)
    with engine.read() as tx:
        filled = [table for table in TABLES if tx.select(table, limit=1, columns=[TABLES[table].key[0]])]
    if filled:
        raise Invalid(f"the catalogue is not empty: {', '.join(filled)} hold rows")
    import_marker.mark(engine, str(folder))
    counts = {}
    for table in TABLES.values():
        counts[table.name] = _read(engine, table, folder / f"{table.name}.parquet", progress)
        if counts[table.name] != expected[table.name]["rows"]:
            raise Invalid(f"{table.name}.parquet holds {counts[table.name]} rows, not {expected[table.name]['rows']}")
    _verify(engine, counts)
    import_marker.unmark(engine)
    return counts


def rows_of(tx: Reader, table: Table) -> Iterator[list[Row]]:
    """All rows of a table in the order of its key, some at a time."""
    after = None
    while True:
        rows = tx.select(table.name, order=table.key, after=after, limit=_ROWS_AT_ONCE)
        if rows:
            yield rows
        if len(rows) < _ROWS_AT_ONCE:
            return
        after = [rows[-1][name] for name in table.key]


def _write(tx: Reader, table: Table, file: Path, progress: Progress) -> int:
    done = 0
    with pq.ParquetWriter(file, _schema(table), compression="zstd") as writer:
        for rows in rows_of(tx, table):
            writer.write_table(_packed(table, rows))
            done += len(rows)
            progress(table.name, done)
    return done


def _read(engine: Engine, table: Table, file: Path, progress: Progress) -> int:
    done = 0
    with pq.ParquetFile(file) as source:
        if not source.schema_arrow.equals(_schema(table)):
            raise Invalid(f"{file.name} has other columns than the table {table.name}: export with this version")
        for batch in source.iter_batches(batch_size=_ROWS_AT_ONCE):
            with engine.write() as tx:
                # The schema of the file was compared above, but no type says which table this is.
                cast(Any, tx).insert(table.name, _unpacked(table, batch), fresh=True)
            done += batch.num_rows
            progress(table.name, done)
    return done


def _verify(engine: Engine, counts: dict[str, int]) -> None:
    """Count what has arrived."""
    with engine.read() as tx:
        for table in TABLES.values():
            found = sum(len(rows) for rows in rows_of(tx, table)) - (table.name == "service")
            if found != counts[table.name]:
                raise Invalid(f"{found} of {counts[table.name]} rows have arrived in {table.name}")


def _manifest(folder: Path) -> dict[str, Any]:
    """What each file should hold, once its bytes have been compared."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        tables: dict[str, Any] = manifest["tables"]
        if manifest["format"] != _FORMAT:
            raise Invalid(f"{folder / MANIFEST} is of format {manifest['format']}, not {_FORMAT}")
        missing = sorted(TABLES.keys() - tables.keys())
        if missing:
            raise Invalid(f"{folder / MANIFEST} has no table {missing[0]}: export with this version")
        for name in TABLES:
            if _digest(folder / f"{name}.parquet") != tables[name]["sha256"]:
                raise Invalid(f"{folder / name}.parquet is not as it was exported")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Invalid(f"{folder} holds no whole export: {error}") from error
    return tables


def _digest(file: Path) -> str:
    with file.open("rb") as bytes_:
        return hashlib.file_digest(bytes_, "sha256").hexdigest()


def _schema(table: Table) -> pa.Schema:
    return pa.schema([pa.field(c.name, _TYPES[c.type], nullable=c.nullable) for c in table.columns])


def _packed(table: Table, rows: list[Row]) -> pa.Table:
    columns = []
    for column in table.columns:
        values = [row[column.name] for row in rows]
        if column.type == "json":
            values = [None if value is None else orjson.dumps(value).decode() for value in values]
        columns.append(pa.array(values, _TYPES[column.type]))
    return pa.Table.from_arrays(columns, schema=_schema(table))


def _unpacked(table: Table, batch: pa.RecordBatch) -> list[Row]:
    columns = {}
    for column in table.columns:
        values = batch.column(column.name).to_pylist()
        if column.type == "json":
            values = [None if value is None else orjson.loads(value) for value in values]
        columns[column.name] = values
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
