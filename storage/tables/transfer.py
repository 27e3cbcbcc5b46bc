"""Export and import of a whole catalogue, to move it between engines: one Parquet file for each table, and a manifest.

Rows are written in the order of their keys, and each value has only one form, so that every engine exports the same
catalogue as the same bytes. The media stay where they are.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.errors import Invalid
from storage.tables import import_marker
from storage.tables.engine import Engine, Reader, Row
from storage.tables.limits import LIMITS, STORED_DOCUMENT, clip
from storage.tables.schema import TABLES, Table

MANIFEST = "manifest.json"
_FORMAT = 1
_BATCH = 10_000

_TYPES = {"string": pa.string(), "int64": pa.int64(), "bool": pa.bool_(), "json": pa.string()}

Progress = Callable[[str, int], None]
"""Called with the name of a table and the number of its rows that are done."""


def export_tables(engine: Engine, folder: Path, progress: Progress) -> dict[str, int]:
    """Write all tables, as they are at one moment, to `folder`, which is created if necessary.

    Returns the number of rows in each table. Raises Invalid if the folder is not empty, and storage.errors.Unavailable.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Invalid(f"{folder} must be empty, and is not")
    counts = {}
    with engine.read() as tx:
        for table in TABLES.values():
            counts[table.name] = _export_table(tx, table, folder / f"{table.name}.parquet", progress)
    files = {name: {"rows": rows, "sha256": _digest(folder / f"{name}.parquet")} for name, rows in counts.items()}
    (folder / MANIFEST).write_text(json.dumps({"format": _FORMAT, "tables": files}, indent=2) + "\n", encoding="utf-8")
    return counts


def import_tables(engine: Engine, folder: Path, progress: Progress) -> dict[str, int]:
    """Fill the empty tables of `engine` from the export in `folder`, and return the number of rows in each.

    Raises Invalid if the export is incomplete, has another format or a value that is too long, or if the tables are not
    empty; and storage.errors.Unavailable. An interrupted import leaves a marker (storage.tables.import_marker).
    """
    expected = _manifest(folder)
    with engine.read() as tx:
        filled = [table for table in TABLES if tx.select(table, limit=1, columns=[TABLES[table].key[0]])]
    if filled:
        raise Invalid(f"the catalogue must be empty, but these tables have rows: {', '.join(filled)}")
    for table in TABLES.values():
        _check_limits(table, folder / f"{table.name}.parquet")
    import_marker.add_marker(engine, clip(str(folder), STORED_DOCUMENT // 8))
    counts = {}
    for table in TABLES.values():
        counts[table.name] = _import_table(engine, table, folder / f"{table.name}.parquet", progress)
        if counts[table.name] != expected[table.name]["rows"]:
            raise Invalid(
                f"{table.name}.parquet must have {expected[table.name]['rows']} rows, not {counts[table.name]}"
            )
    _verify(engine, counts)
    import_marker.remove_marker(engine)
    return counts


def _batches(tx: Reader, table: Table) -> Iterator[list[Row]]:
    """All rows of a table in the order of its key, in batches."""
    after = None
    while True:
        rows = tx.select(table.name, order=table.key, after=after, limit=_BATCH)
        if rows:
            yield rows
        if len(rows) < _BATCH:
            return
        after = [rows[-1][name] for name in table.key]


def _export_table(tx: Reader, table: Table, file: Path, progress: Progress) -> int:
    done = 0
    with pq.ParquetWriter(file, _schema(table), compression="zstd") as writer:
        for rows in _batches(tx, table):
            writer.write_table(_to_arrow(table, rows))
            done += len(rows)
            progress(table.name, done)
    return done


def _import_table(engine: Engine, table: Table, file: Path, progress: Progress) -> int:
    done = 0
    with pq.ParquetFile(file) as source:
        if not source.schema_arrow.equals(_schema(table)):
            raise Invalid(
                f"{file.name} has other columns than the table {table.name}: repeat the export with this version"
            )
        for batch in source.iter_batches(batch_size=_BATCH):
            with engine.write() as tx:
                # The schema of the file was compared above, but no type says which table this is.
                cast(Any, tx).insert(table.name, _from_arrow(table, batch), fresh=True)
            done += batch.num_rows
            progress(table.name, done)
    return done


def _check_limits(table: Table, file: Path) -> None:
    """Reject values that exceed a limit (storage.tables.limits), which releases without limits took. Raises Invalid."""
    limits = LIMITS[table.name]
    with pq.ParquetFile(file) as source:
        for batch in source.iter_batches(batch_size=_BATCH):
            for name in limits.keys() & set(batch.schema.names):
                longest = pc.max(pc.binary_length(batch.column(name))).as_py() or 0
                if longest > limits[name]:
                    at = pc.index(pc.binary_length(batch.column(name)), longest).as_py()
                    key = ", ".join(f"{part} {clip(repr(batch.column(part)[at].as_py()), 80)}" for part in table.key)
                    raise Invalid(
                        f"{file.name}: in the row with {key}, {name} has {longest} bytes, and at most {limits[name]}"
                        " are possible: shorten it in the catalogue that it came from, and repeat the export"
                    )


def _verify(engine: Engine, counts: dict[str, int]) -> None:
    """Count the rows again. Raises Invalid if any are missing."""
    with engine.read() as tx:
        for table in TABLES.values():
            found = sum(len(rows) for rows in _batches(tx, table)) - (table.name == "service")
            if found != counts[table.name]:
                raise Invalid(f"{table.name} must have {counts[table.name]} rows after the import, not {found}")


def _manifest(folder: Path) -> dict[str, Any]:
    """The manifest's entries by table, after checking every file's checksum. Raises Invalid."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        tables: dict[str, Any] = manifest["tables"]
        if manifest["format"] != _FORMAT:
            raise Invalid(f"{folder / MANIFEST} must have format {_FORMAT}, not {manifest['format']}")
        missing = sorted(TABLES.keys() - tables.keys())
        if missing:
            raise Invalid(
                f"{folder / MANIFEST} does not list the table {missing[0]}: repeat the export with this version"
            )
        for name in TABLES:
            if _digest(folder / f"{name}.parquet") != tables[name]["sha256"]:
                raise Invalid(f"{folder / name}.parquet has changed since it was exported")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Invalid(f"{folder} does not contain a complete export: {error}") from error
    return tables


def _digest(file: Path) -> str:
    with file.open("rb") as bytes_:
        return hashlib.file_digest(bytes_, "sha256").hexdigest()


def _schema(table: Table) -> pa.Schema:
    return pa.schema([pa.field(c.name, _TYPES[c.type], nullable=c.nullable) for c in table.columns])


def _to_arrow(table: Table, rows: list[Row]) -> pa.Table:
    columns = []
    for column in table.columns:
        values = [row[column.name] for row in rows]
        if column.type == "json":
            values = [None if value is None else orjson.dumps(value).decode() for value in values]
        columns.append(pa.array(values, _TYPES[column.type]))
    return pa.Table.from_arrays(columns, schema=_schema(table))


def _from_arrow(table: Table, batch: pa.RecordBatch) -> list[Row]:
    columns = {}
    for column in table.columns:
        values = batch.column(column.name).to_pylist()
        if column.type == "json":
            values = [None if value is None else orjson.loads(value) for value in values]
        columns[column.name] = values
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
