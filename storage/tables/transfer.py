"""Export and import of a whole catalogue, to move it between engines: one Parquet file for each table, and a manifest.

Rows are written in the order of their keys, and each value has only one form, so that every engine exports the same
catalogue as the same bytes. The media stay where they are.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.errors import Invalid
from storage.tables.conditions import Compare
from storage.tables.declaration import Table
from storage.tables.derived_columns import add_classes, complete_rows
from storage.tables.engine import Engine
from storage.tables.import_marker import KEY, Hold, Marker, find_marker
from storage.tables.limits import LIMITS, STORED_DOCUMENT, clip
from storage.tables.schema import TABLES
from storage.tables.transaction import Reader, Row

MANIFEST = "manifest.json"
_FORMAT = 1
_BATCH = 10_000
"""Rows that are moved at once, at most."""
_FIRST_BATCH = 100
_BATCH_BYTES = 16 * 2**20
"""About how many bytes of rows to move at once, since documents may be long. In Python they take several times that."""

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


def import_tables(
    engine: Engine, folder: Path, progress: Progress, prepare: Callable[[], None] = lambda: None
) -> dict[str, int]:
    """Fill the empty tables of `engine` from the export in `folder`, and return the number of rows in each.

    The export may be of an earlier release, which lacked whole tables or columns that may be null, or had more columns.

    An interrupted import leaves a marker (storage.tables.import_marker). Repeating it adds what is missing.
    prepare: called before the first row, with the catalogue marked.

    Raises Invalid if the export is incomplete, has another format or a value that is too long, if the tables are not
    empty, or if another import is in progress; and storage.errors.Unavailable.
    """
    expected, digest = _manifest(folder)
    tables = [table for table in TABLES.values() if table.name in expected]
    if find_marker(engine) is None:
        _require_empty(engine)
        for table in tables:
            _check_limits(table, folder / f"{table.name}.parquet")
    hold = Hold(engine, Marker(clip(str(folder), STORED_DOCUMENT // 8), digest))
    with hold.renewed():
        if not hold.resumed:
            try:
                _require_empty(engine)  # another import may have ended meanwhile
            except Invalid:
                hold.release()
                raise
        prepare()
        counts = dict.fromkeys(TABLES, 0)
        for table in tables:
            file = folder / f"{table.name}.parquet"
            counts[table.name] = _import_table(engine, table, file, progress, hold)
            if counts[table.name] != expected[table.name]["rows"]:
                raise Invalid(f"{file.name} must have {expected[table.name]['rows']} rows, not {counts[table.name]}")
        if engine.needs_derived_columns:
            complete_rows(engine)
        if "classes" not in expected:
            counts["classes"] = add_classes(engine)
        _verify(engine, counts)
        hold.release()
    return counts


def _require_empty(engine: Engine) -> None:
    """Raise Invalid if any table has rows, besides the marker of an import."""
    with engine.read() as tx:
        filled = [
            name
            for name, table in TABLES.items()
            if tx.select(name, [Compare("key", "!=", KEY)] if name == "service" else (), limit=1, columns=table.key[:1])
        ]
    if filled:
        raise Invalid(f"the catalogue must be empty, but these tables have rows: {', '.join(filled)}")


def exported_rows(folder: Path, table: str, columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a table in the export in `folder`, cut to these columns, none of which holds JSON."""
    with pq.ParquetFile(folder / f"{table}.parquet") as source:
        for batch in source.iter_batches(batch_size=_BATCH, columns=list(columns)):
            yield from batch.to_pylist()


def _batches(tx: Reader, table: Table) -> Iterator[pa.Table]:
    """All rows of a table in the order of its key, in batches that depend on the rows alone."""
    after = None
    limit = min(_FIRST_BATCH, _BATCH)
    while True:
        rows = tx.select(table.name, order=table.key, after=after, limit=limit)
        if rows:
            batch = _to_arrow(table, rows)
            yield batch
        if len(rows) < limit:
            return
        after = [rows[-1][name] for name in table.key]
        limit = min(_BATCH, 2 * limit, max(1, _BATCH_BYTES * len(rows) // batch.nbytes))


def _count(tx: Reader, table: Table) -> int:
    done, after = 0, None
    while True:
        rows = tx.select(table.name, order=table.key, after=after, limit=_BATCH, columns=table.key)
        done += len(rows)
        if len(rows) < _BATCH:
            return done
        after = [rows[-1][name] for name in table.key]


def _export_table(tx: Reader, table: Table, file: Path, progress: Progress) -> int:
    done = 0
    with pq.ParquetWriter(file, _schema(table), compression="zstd") as writer:
        for batch in _batches(tx, table):
            writer.write_table(batch)
            done += batch.num_rows
            progress(table.name, done)
    return done


def _import_table(engine: Engine, table: Table, file: Path, progress: Progress, hold: Hold) -> int:
    """Insert the rows in `file`, in batches, without those that an interrupted import has inserted."""
    done = 0
    last = _last_key(engine, table) if hold.resumed else None
    with pq.ParquetFile(file) as source:
        if not _can_hold(table, source.schema_arrow):
            raise Invalid(
                f"{file.name} has other columns than the table {table.name}: repeat the export with this version"
            )
        for batch in _stored_batches(source):
            hold.check()
            rows = _from_arrow(table, batch)
            if last is not None:
                keys = [_key(table, row) for row in rows]
                found = keys.index(last) + 1 if last in keys else len(rows)
                last = None if last in keys else last
                rows = rows[found:]
            if rows:
                with engine.write() as tx:
                    # The schema of the file was compared above, but no type says which table this is.
                    cast(Any, tx).insert(table.name, rows, fresh=True)
            done += batch.num_rows
            progress(table.name, done)
    return done


def _stored_batches(source: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """The rows in a file, in the batches in which they were written."""
    for number in range(source.num_row_groups):
        yield from source.read_row_group(number).to_batches(max_chunksize=_BATCH)


def _last_key(engine: Engine, table: Table) -> tuple[Any, ...] | None:
    """The greatest key in a table that an import has begun to fill, in order; None if it has not."""
    with engine.read() as tx:
        rows = tx.select(table.name, order=table.key, descending=True, limit=2, columns=table.key)
    keys = [_key(table, row) for row in rows]
    return next((key for key in keys if table.name != "service" or key != (KEY,)), None)


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in table.key)


def _check_limits(table: Table, file: Path) -> None:
    """Reject values that exceed a limit (storage.tables.limits), which releases without limits took. Raises Invalid."""
    limits = LIMITS[table.name]
    with pq.ParquetFile(file) as source:
        for batch in _stored_batches(source):
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
            found = _count(tx, table) - (table.name == "service")
            if found != counts[table.name]:
                raise Invalid(f"{table.name} must have {counts[table.name]} rows after the import, not {found}")


def _manifest(folder: Path) -> tuple[dict[str, Any], str]:
    """The manifest's entries by table, and its own checksum, after checking that of every file. Raises Invalid."""
    try:
        text = (folder / MANIFEST).read_bytes()
        manifest = json.loads(text)
        tables: dict[str, Any] = manifest["tables"]
        if manifest["format"] != _FORMAT:
            raise Invalid(f"{folder / MANIFEST} must have format {_FORMAT}, not {manifest['format']}")
        added = {name for name, table in TABLES.items() if table.is_later_addition}
        missing = sorted(TABLES.keys() - tables.keys() - added)
        if missing:
            raise Invalid(
                f"{folder / MANIFEST} does not list the table {missing[0]}: repeat the export with this version"
            )
        for name in TABLES.keys() & tables.keys():
            if _digest(folder / f"{name}.parquet") != tables[name]["sha256"]:
                raise Invalid(f"{folder / name}.parquet has changed since it was exported")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Invalid(f"{folder} does not contain a complete export: {error}") from error
    return tables, hashlib.sha256(text).hexdigest()


def _digest(file: Path) -> str:
    with file.open("rb") as bytes_:
        return hashlib.file_digest(bytes_, "sha256").hexdigest()


def _schema(table: Table) -> pa.Schema:
    return pa.schema([pa.field(c.name, _TYPES[c.type], nullable=c.nullable) for c in table.columns])


def _can_hold(table: Table, schema: pa.Schema) -> bool:
    """Whether rows with these columns are rows of the table, perhaps of an earlier release."""
    schema = pa.schema([field for field in schema if field.name not in table.former])
    names = set(schema.names)
    present = [field for field in _schema(table) if field.name in names or not field.nullable]
    return bool(pa.schema(present).equals(schema))


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
    present = set(batch.schema.names)
    for column in table.columns:
        values = batch.column(column.name).to_pylist() if column.name in present else [None] * batch.num_rows
        if column.type == "json":
            values = [None if value is None else orjson.loads(value) for value in values]
        columns[column.name] = values
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
