"""The rows of a query as Arrow, at most so many, and their text forms: JSON and CSV, with every number exact."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from storage.analytics.request import Format

_TYPE_NAMES = {"string": "string", "large_string": "string", "bool": "boolean", "double": "double", "float": "double"}


@dataclass(frozen=True, slots=True)
class Result:
    """truncated: whether there were more rows than might be returned."""

    table: pa.Table
    truncated: bool


def read_result(reader: pa.RecordBatchReader, limit: int) -> Result:
    """Return the first `limit` rows."""
    batches: list[pa.RecordBatch] = []
    rows = 0
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        if rows > limit:
            break
    return Result(pa.Table.from_batches(batches, reader.schema).slice(0, limit), rows > limit)


def encode(result: Result, format_: Format) -> bytes:
    """Return the result as JSON (members `columns`, `rows`, `truncated`), as CSV with a header, or as an Arrow stream.

    Times are RFC 3339. Whole numbers of any size are numbers in JSON; other decimals are texts.
    """
    if format_ == "arrow":
        metadata = {"truncated": json.dumps(result.truncated)}
        sink = pa.BufferOutputStream()
        table = result.table.replace_schema_metadata(metadata)
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue())
    if format_ == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(result.table.column_names)
        writer.writerows([_csv(value) for value in row] for row in _rows(result.table))
        return text.getvalue().encode()
    names = result.table.column_names
    document = {
        "columns": [{"name": each.name, "type": _type_name(each.type)} for each in result.table.schema],
        "rows": [dict(zip(names, row, strict=True)) for row in _rows(result.table)],
        "truncated": result.truncated,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in table.to_batches():
        columns: Iterable[list[Any]] = [[_plain(value) for value in column.to_pylist()] for column in batch.columns]
        yield from zip(*columns, strict=True)


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None  # JSON has no infinity, and no NaN
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return moment.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return str(value)


def _csv(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _type_name(type_: pa.DataType) -> str:
    """A short name of an Arrow type: integer, double, string, boolean, timestamp, or Arrow's own."""
    if pa.types.is_integer(type_) or (pa.types.is_decimal(type_) and type_.scale == 0):
        return "integer"
    if pa.types.is_timestamp(type_):
        return "timestamp"
    return _TYPE_NAMES.get(str(type_), str(type_))
