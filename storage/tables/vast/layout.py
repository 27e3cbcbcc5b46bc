"""The tables as they are on a cluster: Arrow schemas, sorting keys, and conversion of rows to and from Arrow."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ibis
import orjson
import pyarrow as pa

from storage import error_codes
from storage.errors import Invalid
from storage.tables.conditions import Condition, In
from storage.tables.declaration import Column, Table
from storage.tables.limits import LONG_COLUMNS
from storage.tables.schema import TABLES
from storage.tables.transaction import Row

ROW_ID = "$row_id"
LOCKS = "locks"
LOCK_SLOTS = 1024
CELL_BYTES = 128_000
"""The longest text in one cell. The SDK states 128 KiB as the limit of a cluster."""

_BATCH_BYTES = 3 << 20
"""Size of the rows sent in one request; a cluster accepts 5 MiB."""

_TYPES = {"string": pa.string(), "json": pa.string(), "int64": pa.int64(), "bool": pa.bool_()}

_ALSO_SORTED = frozenset({"objects"})
"""Sorted although not declared as clustered: they grow with the segments and are read by lists of ids."""

HOLDERS = Column("holders", "string", nullable=True)
"""In a row that serves as a lock: marks of the transactions that changed it last, newest first."""
LOCK_TABLES = {"flow": "flows"}
"""By the kind of a lock's name ("flow:<id>"): the table whose row with that id, if it exists, is the lock."""
VERSION_COLUMNS = (HOLDERS.name, "metadata_updated")
"""Columns of a table in LOCK_TABLES. Any change of a row changes one of these: a writer that locks the row adds its
mark, and one that does not sets the time."""
LOCK_OWNER_COLUMNS = {"flows": "id", "segments": "flow_id", "segment_tags": "flow_id"}
"""Tables whose rows change only together with a flow's row, and the column that has the flow's id."""
FLAG_KEY = ""
"""Id of the row that stores a presence flag in a table of LOCK_TABLES; the catalogue never sees this row."""


@dataclass(frozen=True, eq=False)
class TableLayout:
    """One table as it is on a cluster. has_locks: its rows serve as locks too, and one may store a presence flag."""

    table: Table
    has_locks: bool = False

    @property
    def name(self) -> str:
        return self.table.name

    @cached_property
    def columns(self) -> dict[str, Column]:
        columns = (*self.table.columns, HOLDERS) if self.has_locks else self.table.columns
        return {column.name: column for column in columns}

    @cached_property
    def catalog_columns(self) -> tuple[str, ...]:
        """Names of the columns that the catalogue declares."""
        return tuple(column.name for column in self.table.columns)

    @cached_property
    def schema(self) -> pa.Schema:
        """All columns are nullable: it is not documented whether a cluster enforces anything else. The engine does."""
        return pa.schema([pa.field(column.name, _TYPES[column.type]) for column in self.columns.values()])

    @cached_property
    def query_schema(self) -> pa.Schema:
        """The columns that a query may select, including the row id."""
        return pa.schema([pa.field(ROW_ID, self.id_type), *self.schema])

    @cached_property
    def ibis_table(self) -> Any:
        """The table as ibis sees it, for conditions."""
        return ibis.table(self.schema, name=self.name)

    @cached_property
    def sorting_key(self) -> tuple[str, ...]:
        return self.table.key if self.table.clustered or self.name in _ALSO_SORTED else ()

    @cached_property
    def id_type(self) -> pa.DataType:
        """The type of row ids, which differs in sorted tables."""
        return pa.decimal128(38, 0) if self.sorting_key else pa.uint64()

    def key_of(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.table.key)

    def key_conditions(self, keys: Sequence[tuple[Any, ...]]) -> list[Condition]:
        """Conditions that the rows with these keys meet, and few others."""
        parts = [list(dict.fromkeys(part)) for part in zip(*keys, strict=True)]
        return [In(name, values) for name, values in zip(self.table.key, parts, strict=True)]

    def complete(self, row: Mapping[str, Any]) -> Row:
        """`row` with every column of the catalogue, null where it has none. Raises ValueError for a forbidden null."""
        full = {name: row.get(name) for name in self.catalog_columns}
        for column in self.table.columns:
            if full[column.name] is None and not column.nullable and column.type != "json":
                raise ValueError(f"column {self.name}.{column.name} cannot be null")
        return full

    def batches(self, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterable[pa.RecordBatch]:
        """Columns `names` of `rows`, null where a row has none, in batches that fit into one request each.

        Raises Invalid for a text that is too long.
        """
        columns: dict[str, list[Any]] = {}
        sizes = [32 * len(names)] * len(rows)
        for name in names:
            values = [row.get(name) for row in rows]
            if self.columns[name].type == "json":
                values = [None if value is None else orjson.dumps(value).decode() for value in values]
            if _TYPES[self.columns[name].type] == pa.string():
                for at, value in enumerate(values):
                    sizes[at] += self._text_size(name, value)
            columns[name] = values
        schema = pa.schema([self.schema.field(name) for name in names])
        start = 0
        while start < len(rows):
            end, size = start + 1, sizes[start]
            while end < len(rows) and size + sizes[end] <= _BATCH_BYTES:
                size += sizes[end]
                end += 1
            yield pa.record_batch([pa.array(columns[f.name][start:end], f.type) for f in schema], schema=schema)
            start = end

    def _text_size(self, name: str, value: str | None) -> int:
        """Bytes of a text. Raises Invalid where they do not fit into a cell."""
        size = 0 if value is None else len(value.encode())
        if size > CELL_BYTES:
            row = self.name.rstrip("s")
            what = f"the {row}" if self.columns[name].type == "json" else f"{name} of the {row}"
            raise Invalid(
                f"{what} is {size} bytes long as stored; VAST Database accepts at most {CELL_BYTES}",
                code=error_codes.TEXT_TOO_LONG,
            )
        return size

    def rows(self, found: pa.Table) -> list[Row]:
        """Rows from Arrow, with row ids if these were selected."""
        rows: list[Row] = found.to_pylist()
        documents = [n for n in found.schema.names if n != ROW_ID and self.columns[n].type == "json"]
        for name in documents:
            for row in rows:
                if row[name] is not None:
                    row[name] = orjson.loads(row[name])
        return rows

    def long_bytes(self, row: Row) -> int:
        """The bytes of a row in the columns whose values can be long."""
        values = (row[name] for name in LONG_COLUMNS[self.name] if row.get(name) is not None)
        return sum(len(value if isinstance(value, str) else orjson.dumps(value)) for value in values)

    def row_ids(self, ids: Sequence[Any]) -> pa.Array:
        return pa.array(ids, self.id_type)


_LOCKS = Table(LOCKS, (Column("slot", "int64"), HOLDERS), key=("slot",))
"""One row for each slot, which a writer changes before it reads (locks.py)."""

LAYOUTS: dict[str, TableLayout] = {
    table.name: TableLayout(table, has_locks=table.name in LOCK_TABLES.values()) for table in (*TABLES.values(), _LOCKS)
}
