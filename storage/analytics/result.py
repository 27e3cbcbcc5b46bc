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

from storage import error_codes
from storage.analytics.limits import Limits
from storage.analytics.request import Format
from storage.errors import Invalid

_TYPE_NAMES = {"string": "string", "large_string": "string", "bool": "boolean", "double": "double", "float": "double"}


@dataclass(frozen=True, slots=True)
class Result:
    """truncated: whether there were more rows than might be returned."""

    table: pa.Table
    truncated: bool


def read_result(reader: pa.RecordBatchReader, limits: Limits) -> Result:
    """Return the first rows, as many as there may be. Raises TooExpensive if they have too many bytes."""
    batches: list[pa.RecordBatch] = []
    limit, rows, size = limits.rows, 0, 0
    for batch in reader:
        # A batch has thousands of rows, also if few are asked for.
        returned = batch.slice(0, limit - rows)
        batches.append(returned)
        rows += batch.num_rows
        size += returned.nbytes
        limits.check_answer(size)
        if rows > limit:
            break
    return Result(pa.Table.from_batches(batches, reader.schema), rows > limit)


def encode(result: Result, format_: Format) -> bytes:
    """Return the result as JSON (members `columns`, `rows`, `truncated`), as CSV with a header, or as an Arrow stream.

    Times are RFC 3339. Whole numbers of any size are numbers in JSON; other decimals are texts.
    Raises Invalid for JSON and CSV if there is a time outside the years 1 to 9999, such as infinity, or one in ns.
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
        columns: Iterable[list[Any]] = [_values(table, number, batch) for number in range(batch.num_columns)]
        yield from zip(*columns, strict=True)


def _values(table: pa.Table, number: int, batch: pa.RecordBatch) -> list[Any]:
    try:
        return [_plain(value) for value in batch.column(number).to_pylist()]
    except (OverflowError, ValueError) as error:
        raise Invalid(
            f"sql: column {table.column_names[number]!r} has a time that cannot be written: outside the years 1 to"
            " 9999, or with nanoseconds; cast it to VARCHAR",
            code=error_codes.ANALYTICS_SQL,
            field="sql",
            behaviour="A90",
        ) from error


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
