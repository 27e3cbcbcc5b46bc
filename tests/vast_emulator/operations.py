"""What the emulator does for each kind of request of the SDK."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.message import Message

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from vastdb.vast_flatbuf.tabular import ColumnType, CreateProjectionRequest

from tests.vast_emulator import query, responses
from tests.vast_emulator.errors import Rejection
from tests.vast_emulator.responses import Entry
from tests.vast_emulator.store import Store, Table, Transaction
from tests.vast_emulator.versions import Ids

KINDS = {
    ("GET", "transaction"): "probe",
    ("POST", "transaction"): "begin",
    ("PUT", "transaction"): "commit",
    ("DELETE", "transaction"): "rollback",
    ("GET", "data"): "select",
    ("POST", "rows"): "insert",
    ("PUT", "rows"): "update",
    ("DELETE", "rows"): "delete",
    ("HEAD", ""): "bucket",
    ("GET", "schema"): "list-schemas",
    ("POST", "schema"): "create-schema",
    ("DELETE", "schema"): "drop-schema",
    ("GET", "table"): "list-tables",
    ("POST", "table"): "create-table",
    ("DELETE", "table"): "drop-table",
    ("GET", "column"): "list-columns",
    ("POST", "column"): "add-column",
    ("GET", "sorted-columns"): "list-sorted-columns",
    ("GET", "stats"): "stats",
    ("GET", "projection"): "list-projections",
    ("POST", "projection"): "create-projection",
    ("DELETE", "projection"): "drop-projection",
}
"""The kind of a request by its method and command."""


@dataclass
class Request:
    """One request of the SDK. path: bucket, schemas and table. tx_id: 0 where it has no transaction."""

    path: tuple[str, ...]
    parameters: dict[str, str]
    headers: Message
    body: bytes
    tx_id: int

    def filter(self, entries: Iterable[Entry]) -> list[Entry]:
        """The entries that the headers ask for, sorted by name."""
        exact, prefix = self.headers.get("tabular-name-exact-match"), self.headers.get("tabular-name-prefix") or ""
        chosen = [e for e in entries if (e.name == exact if exact else e.name.startswith(prefix))]
        return sorted(chosen, key=lambda entry: entry.name)


@dataclass
class Response:
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Operations:
    """One method for each kind of request within a transaction, called by `perform`.

    cell_bytes: the largest cell. seed: for the order of rows, None for the order of insertion.
    """

    def __init__(self, store: Store, counters: Counter[str], cell_bytes: int, seed: int | None) -> None:
        self.store = store
        self._counters = counters
        self._cell_bytes = cell_bytes
        self._seed = seed

    def perform(self, kind: str, tx: Transaction, request: Request) -> Response:
        """Carry out a request of one of KINDS. Raises Rejection."""
        return getattr(self, kind.replace("-", "_"))(tx, request) or Response()

    def commit(self, tx: Transaction, _request: Request) -> None:
        self.store.commit(tx)

    def rollback(self, tx: Transaction, _request: Request) -> None:
        self.store.rollback(tx)

    # Definitions.

    def list_schemas(self, tx: Transaction, request: Request) -> Response:
        parent = request.path
        paths = [path for path, table in tx.definitions.items() if path[:-1] == parent and table is None]
        found = request.filter(Entry(path[-1]) for path in paths)
        return _listing(responses.schemas(parent[0], found), len(found))

    def create_schema(self, tx: Transaction, request: Request) -> None:
        self.store.change(tx, "create_schema", request.path)

    def drop_schema(self, tx: Transaction, request: Request) -> None:
        self.store.change(tx, "drop", request.path)

    def list_tables(self, tx: Transaction, request: Request) -> Response:
        entries = [
            Entry(path[-1], table.rows.handle, self._count(tx, table), bool(table.sorting_key))
            for path, table in tx.definitions.items()
            if path[:-1] == request.path and table is not None
        ]
        found = request.filter(entries)
        return _listing(responses.tables(request.path[0], "/".join(request.path[1:]), found), len(found))

    def create_table(self, tx: Transaction, request: Request) -> None:
        schema = pa.ipc.read_schema(pa.py_buffer(request.body)).remove_metadata()
        headers = (f"tabular-sorted-column-{i}" for i in range(len(schema)))
        key = tuple(schema.names[int(request.headers[name])] for name in headers if name in request.headers)
        self.store.change(tx, "create_table", request.path, schema, key, self.store.new_handle())

    def drop_table(self, tx: Transaction, request: Request) -> None:
        self.store.change(tx, "drop", request.path)

    def _table(self, tx: Transaction, request: Request) -> Table:
        return self.store.find(tx.definitions, request.path)

    def list_columns(self, tx: Transaction, request: Request) -> Response:
        schema = self._table(tx, request).schema
        return _listing(_schema_stream(schema), len(schema))

    def add_column(self, tx: Transaction, request: Request) -> None:
        added = pa.ipc.read_schema(pa.py_buffer(request.body)).remove_metadata()
        self.store.change(tx, "add_columns", request.path, added)

    def list_sorted_columns(self, tx: Transaction, request: Request) -> Response:
        table = self._table(tx, request)
        if not table.sorting_key:
            raise Rejection(400, "InvalidArgument", "the table is not sorted")
        columns = [table.schema.field(name) for name in table.sorting_key]
        return _listing(_schema_stream(pa.schema(columns)), len(columns))

    def _count(self, tx: Transaction, table: Table) -> int:
        return sum(int(mask.sum()) for _, mask in tx.visible(table.rows))

    def stats(self, tx: Transaction, request: Request) -> Response:
        table = self._table(tx, request)
        return Response(responses.stats(self._count(tx, table), is_sorted=bool(table.sorting_key)))

    def list_projections(self, tx: Transaction, request: Request) -> Response:
        found = request.filter(Entry(name, 1) for name in self._table(tx, request).projections)
        bucket, *schema, table = request.path
        return _listing(responses.projections(bucket, "/".join(schema), table, found), len(found))

    def create_projection(self, tx: Transaction, request: Request) -> None:
        body = CreateProjectionRequest.CreateProjectionRequest.GetRootAs(request.body)
        columns = [body.Columns(i) for i in range(body.ColumnsLength())]
        is_sorted = ColumnType.ColumnType.Sorted
        roles = [(c.Name().decode(), "sorted" if c.Type() == is_sorted else "unsorted") for c in columns]
        missing = {name for name, _ in roles} - set(self._table(tx, request).schema.names)
        if missing:
            raise Rejection(400, "InvalidArgument", f"the table has no column {missing}")
        self.store.change(tx, "set_projection", request.path, request.parameters["name"], roles)

    def drop_projection(self, tx: Transaction, request: Request) -> None:
        self.store.change(tx, "set_projection", request.path, request.parameters["name"], None)

    # Rows.

    def select(self, tx: Transaction, request: Request) -> Response:
        found = query.select(tx, self._table(tx, request), request.body, request.headers, self._seed)
        self._counters["rows returned"] += found.returned
        self._counters["rows examined"] += found.examined
        return Response(found.body)

    def _rows(self, request: Request, schema: pa.Schema) -> tuple[Ids, pa.RecordBatch]:
        """The row ids in a request's body, empty if it has none, and its other columns. Raises Rejection."""
        batches = list(pa.ipc.open_stream(request.body))
        if len(batches) != 1:
            raise Rejection(400, "InvalidArgument", "a request carries one batch of rows")
        batch = batches[0]
        ids = np.zeros(0, np.int64)
        if query.ROW_ID in batch.schema.names:
            ids = batch[query.ROW_ID].cast(pa.int64()).to_numpy()
            batch = batch.drop_columns([query.ROW_ID])
        for name in batch.schema.names:
            at = schema.get_field_index(name)
            if at < 0 or schema.field(at).type != batch[name].type:
                raise Rejection(400, "InvalidArgument", f"the table has no column {name} of type {batch[name].type}")
            if not schema.field(at).nullable and batch[name].null_count:
                raise Rejection(400, "InvalidArgument", f"column {name} cannot be null")
            longest = pc.max(pc.binary_length(batch[name])).as_py() if pa.types.is_string(batch[name].type) else 0
            if (longest or 0) > self._cell_bytes:
                raise Rejection(400, "TabularCellTooLarge", f"column {name} has a cell of {longest} bytes")
        return ids, batch

    def insert(self, tx: Transaction, request: Request) -> Response:
        table = self._table(tx, request)
        _, sent = self._rows(request, table.schema)
        known = set(sent.schema.names)
        columns = [sent[f.name] if f.name in known else pa.nulls(sent.num_rows, f.type) for f in table.schema]
        missing = [f.name for f in table.schema if not f.nullable and f.name not in known]
        if missing:
            raise Rejection(400, "InvalidArgument", f"column {missing[0]} cannot be null")
        ids = self.store.insert(tx, table, pa.record_batch(columns, schema=table.schema))
        batch = pa.record_batch([pa.array(ids).cast(table.id_type)], names=[query.ROW_ID])
        return Response(_batch_stream(batch))

    def update(self, tx: Transaction, request: Request) -> None:
        table = self._table(tx, request)
        ids, values = self._rows(request, table.schema)
        self.store.update(tx, table, ids, values)

    def delete(self, tx: Transaction, request: Request) -> None:
        table = self._table(tx, request)
        self.store.delete(tx, table, self._rows(request, table.schema)[0])


def _listing(body: bytes, count: int) -> Response:
    headers = {"tabular-next-key": "0", "tabular-is-truncated": "false", "tabular-list-count": str(count)}
    return Response(body, headers)


def _schema_stream(schema: pa.Schema) -> bytes:
    encoded: bytes = schema.serialize().to_pybytes()
    return encoded + query.END_OF_STREAM


def _batch_stream(batch: pa.RecordBatch) -> bytes:
    schema: bytes = batch.schema.serialize().to_pybytes()
    rows: bytes = batch.serialize().to_pybytes()
    return schema + rows + query.END_OF_STREAM
