"""The form of the tables on a cluster: Arrow schemas, sorting keys, and rows to and from Arrow."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ibis
import orjson
import pyarrow as pa

from storage.errors import Invalid
from storage.tables.engine import Row
from storage.tables.schema import TABLES, Column, Table

ROW_ID = "$row_id"
LOCKS = "locks"
LOCK_SLOTS = 1024
CELL_BYTES = 64_000
"""The longest text of one cell. The SDK's own figure for clusters is 128 KiB."""

_BATCH_BYTES = 3 << 20
"""Rows sent at once; a request may have 5 MiB."""

_TYPES = {"string": pa.string(), "json": pa.string(), "int64": pa.int64(), "bool": pa.bool_()}

_ALSO_SORTED = frozenset({"objects"})
"""Grows with the segments, and is read by lists of ids."""

HOLDERS = Column("holders", "string", nullable=True)
"""Of a row that is a lock: the transactions that changed it last, newest first."""
GUARDED = {"flow": "flows"}
"""By the kind of a lock's name ("flow:<id>"): the table whose row of that id is the lock, where there is one."""
VERSION = (HOLDERS.name, "metadata_updated")
"""Columns of a row of GUARDED, of which one changes whenever anything of the row does: who locks it marks it, and who
changes it without a lock says when."""
UNDER_LOCK = {"flows": "id", "segments": "flow_id"}
"""Tables whose rows of a flow, told by this column, change only with that flow's row: it is changed itself, or locked
and so marked."""
NOTICE = ""
"""The key of a row in a table of GUARDED that is none of the catalogue's (storage.tables.vast.notice)."""


@dataclass(frozen=True, eq=False)
class Form:
    """One table as it is on a cluster. locks: its rows are locks too (GUARDED), and its notice is another."""

    table: Table
    locks: bool = False

    @property
    def name(self) -> str:
        return self.table.name

    @cached_property
    def columns(self) -> dict[str, Column]:
        columns = (*self.table.columns, HOLDERS) if self.locks else self.table.columns
        return {column.name: column for column in columns}

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """The names of those columns that the catalogue knows of."""
        return tuple(column.name for column in self.table.columns)

    @cached_property
    def schema(self) -> pa.Schema:
        """All columns may be null there: whether a cluster minds is not documented, so that it is checked here."""
        return pa.schema([pa.field(column.name, _TYPES[column.type]) for column in self.columns.values()])

    @cached_property
    def asked(self) -> pa.Schema:
        """What may be asked for: the row id too."""
        return pa.schema([pa.field(ROW_ID, self.id_type), *self.schema])

    @cached_property
    def ibis_table(self) -> Any:
        """Its columns for the SDK's conditions."""
        return ibis.table(self.schema, name=self.name)

    @cached_property
    def sort(self) -> tuple[str, ...]:
        return self.table.key if self.table.clustered or self.name in _ALSO_SORTED else ()

    @cached_property
    def id_type(self) -> pa.DataType:
        return pa.decimal128(38, 0) if self.sort else pa.uint64()

    def key_of(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.table.key)

    def complete(self, row: Mapping[str, Any]) -> Row:
        """`row` with every column that the catalogue knows of. Raises ValueError for one that must not be null."""
        full = {name: row.get(name) for name in self.shown}
        for column in self.table.columns:
            if full[column.name] is None and not column.nullable and column.type != "json":
                raise ValueError(f"column {self.name}.{column.name} cannot be null")
        return full

    def batches(self, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterable[pa.RecordBatch]:
        """Columns `names` of `rows`, null where a row has none, in batches that a request has room for.

        Raises Invalid for too long a text.
        """
        columns: dict[str, list[Any]] = {}
        sizes = [32 * len(names)] * len(rows)
        for name in names:
            values = [row.get(name) for row in rows]
            if self.columns[name].type == "json":
                values = [None if value is None else orjson.dumps(value).decode() for value in values]
            if _TYPES[self.columns[name].type] == pa.string():
                for at, value in enumerate(values):
                    sizes[at] += self._length(name, value)
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

    def _length(self, name: str, value: str | None) -> int:
        size = 0 if value is None else len(value.encode())
        if size > CELL_BYTES:
            row = self.name.rstrip("s")
            what = f"the {row}" if self.columns[name].type == "json" else f"{name} of the {row}"
            raise Invalid(f"{what} takes {size} bytes as it is kept, more than the {CELL_BYTES} that VAST has room for")
        return size

    def rows(self, found: pa.Table) -> list[Row]:
        """Rows from Arrow, row ids among the columns where they were asked for."""
        rows: list[Row] = found.to_pylist()
        documents = [n for n in found.schema.names if n != ROW_ID and self.columns[n].type == "json"]
        for name in documents:
            for row in rows:
                if row[name] is not None:
                    row[name] = orjson.loads(row[name])
        return rows

    def row_ids(self, ids: Sequence[Any]) -> pa.Array:
        return pa.array(ids, self.id_type)


_LOCKS = Table(LOCKS, (Column("slot", "int64"), HOLDERS), key=("slot",))
"""One row a slot, which a writer changes before it reads."""

FORMS: dict[str, Form] = {
    table.name: Form(table, locks=table.name in GUARDED.values()) for table in (*TABLES.values(), _LOCKS)
}
