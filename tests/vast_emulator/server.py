"""The emulator's HTTP side: requests of the SDK, and those of tests to `/-/` (faults and counters)."""

import secrets
import socket
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from vastdb.vast_flatbuf.tabular import ColumnType, CreateProjectionRequest

from tests.vast_emulator import answers, query
from tests.vast_emulator.answers import Entry
from tests.vast_emulator.errors import Refusal
from tests.vast_emulator.faults import Dropped, Fault, Faults, Gateway
from tests.vast_emulator.store import ConflictMode, Store, Table, Transaction

_KINDS = {
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


@dataclass(frozen=True)
class Limits:
    """In bytes: of a request's body, and of a cell."""

    request: int = 5 << 20
    cell: int = 128 << 10


@dataclass
class Request:
    """What a handler of one kind of request works with."""

    path: tuple[str, ...]
    parameters: dict[str, str]
    headers: Any
    body: bytes
    tx_id: int

    def names(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those that the request's headers ask for, sorted."""
        exact, prefix = self.headers.get("tabular-name-exact-match"), self.headers.get("tabular-name-prefix") or ""
        chosen = [e for e in entries if (e.name == exact if exact else e.name.startswith(prefix))]
        return sorted(chosen, key=lambda entry: entry.name)


@dataclass
class Response:
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def _listed(body: bytes, count: int) -> Response:
    headers = {"tabular-next-key": "0", "tabular-is-truncated": "false", "tabular-list-count": str(count)}
    return Response(body, headers)


def _stream(schema: pa.Schema) -> bytes:
    return schema.serialize().to_pybytes() + query.END_OF_STREAM


class Emulator:
    """A cluster of one bucket at a free port of this machine, or at `port`.

    shuffle: rows come in no order, as on a cluster, which promises none. folder: where commits are kept, so that
    another emulator can go on from there. direct: queries without a transaction are answered.
    """

    def __init__(
        self,
        mode: ConflictMode = "statement",
        *,
        bucket: str = "tams",
        access: str = "access",
        port: int = 0,
        folder: Path | None = None,
        shuffle: bool = True,
        limits: Limits | None = None,
        idle_s: float = 30,
        direct: bool = True,
    ) -> None:
        self.direct = direct
        self.store = Store(bucket, mode, folder, idle_s)
        self.access = access
        self.faults = Faults()
        self.counters: Counter[str] = Counter()
        self.limits = limits or Limits()
        self._seed = secrets.randbits(40) if shuffle else None
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.emulator = self
        self.port = self._http.server_port
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def url(self, schema: str) -> str:
        """The database URL of a schema for TAMS_DATABASE_URL; any secret will do."""
        return f"vast+http://{self.access}:secret@127.0.0.1:{self.port}/{self.store.bucket}/{schema}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, kind: str, request: Request) -> Response:
        """Carry out one request of the SDK. Raises Refusal."""
        if len(request.body) > self.limits.request:
            raise Refusal(400, "TabularRequestTooLarge", f"{len(request.body)} bytes are more than a request may have")
        if f"Credential={self.access}/" not in (request.headers.get("Authorization") or ""):
            raise Refusal(403, "AccessDenied", "unknown access key")
        with self.store.lock:
            self.counters[kind] += 1
            if kind == "probe":
                return Response()
            if kind == "begin":
                return Response(headers={"tabular-txid": str(self.store.begin().id)})
            if kind == "bucket":
                if request.path[0] != self.store.bucket:
                    raise Refusal(404, "NoSuchBucket", request.path[0])
                return Response()
            direct = self.direct and kind == "select" and not request.tx_id
            tx = self.store.moment_now() if direct else self.store.transaction(request.tx_id)
            return getattr(self, f"_{kind.replace('-', '_')}")(tx, request) or Response()

    def _commit(self, tx: Transaction, _request: Request) -> None:
        self.store.commit(tx)

    def _rollback(self, tx: Transaction, _request: Request) -> None:
        self.store.rollback(tx)

    # The catalogue.

    def _list_schemas(self, tx: Transaction, request: Request) -> Response:
        base = request.path
        here = [path for path, thing in tx.catalogue.items() if path[:-1] == base and thing is None]
        found = request.names(Entry(path[-1]) for path in here)
        return _listed(answers.schemas(base[0], found), len(found))

    def _create_schema(self, tx: Transaction, request: Request) -> None:
        self.store.change(tx, "create_schema", request.path)

    def _drop_schema(self, tx: Transaction, request: Request) -> None:
        self.store.change(tx, "drop", request.path)

    def _list_tables(self, tx: Transaction, request: Request) -> Response:
        here = {path: thing for path, thing in tx.catalogue.items() if path[:-1] == request.path and thing is not None}
        entries = [Entry(p[-1], t.rows.handle, self._count(tx, t), bool(t.sort)) for p, t in here.items()]
        found = request.names(entries)
        return _listed(answers.tables(request.path[0], "/".join(request.path[1:]), found), len(found))

    def _create_table(self, tx: Transaction, request: Request) -> None:
        schema = pa.ipc.read_schema(pa.py_buffer(request.body)).remove_metadata()
        headers = (f"tabular-sorted-column-{i}" for i in range(len(schema)))
        sort = tuple(schema.names[int(request.headers[name])] for name in headers if name in request.headers)
        self.store.change(tx, "create_table", request.path, schema, sort, self.store.new_handle())

    def _drop_table(self, tx: Transaction, request: Request) -> None:
        self.store.change(tx, "drop", request.path)

    def _table(self, tx: Transaction, request: Request) -> Table:
        return self.store.find(tx.catalogue, request.path)

    def _list_columns(self, tx: Transaction, request: Request) -> Response:
        schema = self._table(tx, request).schema
        return _listed(_stream(schema), len(schema))

    def _add_column(self, tx: Transaction, request: Request) -> None:
        added = pa.ipc.read_schema(pa.py_buffer(request.body)).remove_metadata()
        self.store.change(tx, "add_columns", request.path, added)

    def _list_sorted_columns(self, tx: Transaction, request: Request) -> Response:
        table = self._table(tx, request)
        if not table.sort:
            raise Refusal(400, "InvalidArgument", "the table is not sorted")
        return _listed(_stream(pa.schema([table.schema.field(name) for name in table.sort])), len(table.sort))

    def _count(self, tx: Transaction, table: Table) -> int:
        return sum(int(mask.sum()) for _, mask in tx.visible(table.rows))

    def _stats(self, tx: Transaction, request: Request) -> Response:
        table = self._table(tx, request)
        return Response(answers.stats(self._count(tx, table), is_sorted=bool(table.sort)))

    def _list_projections(self, tx: Transaction, request: Request) -> Response:
        found = request.names(Entry(name, 1) for name in self._table(tx, request).projections)
        bucket, *schema, table = request.path
        return _listed(answers.projections(bucket, "/".join(schema), table, found), len(found))

    def _create_projection(self, tx: Transaction, request: Request) -> None:
        asked = CreateProjectionRequest.CreateProjectionRequest.GetRootAs(request.body)
        columns = [asked.Columns(i) for i in range(asked.ColumnsLength())]
        is_sorted = ColumnType.ColumnType.Sorted
        named = [(c.Name().decode(), "sorted" if c.Type() == is_sorted else "unsorted") for c in columns]
        missing = {name for name, _ in named} - set(self._table(tx, request).schema.names)
        if missing:
            raise Refusal(400, "InvalidArgument", f"no column {missing}")
        self.store.change(tx, "set_projection", request.path, request.parameters["name"], named)

    def _drop_projection(self, tx: Transaction, request: Request) -> None:
        self.store.change(tx, "set_projection", request.path, request.parameters["name"], None)

    # Rows.

    def _select(self, tx: Transaction, request: Request) -> Response:
        found = query.select(tx, self._table(tx, request), request.body, request.headers, self._seed)
        self.counters["rows returned"] += found.returned
        self.counters["rows examined"] += found.examined
        return Response(found.body)

    def _rows(self, request: Request, schema: pa.Schema) -> tuple[np.ndarray, pa.RecordBatch]:
        """The row ids in a request's body, where there are any, and its columns. Raises Refusal for what cannot be."""
        batches = list(pa.ipc.open_stream(request.body))
        if len(batches) != 1:
            raise Refusal(400, "InvalidArgument", "a request carries one batch of rows")
        batch = batches[0]
        ids = np.zeros(0, np.int64)
        if query.ROW_ID in batch.schema.names:
            ids = batch[query.ROW_ID].cast(pa.int64()).to_numpy()
            batch = batch.drop_columns([query.ROW_ID])
        for name in batch.schema.names:
            at = schema.get_field_index(name)
            if at < 0 or schema.field(at).type != batch[name].type:
                raise Refusal(400, "InvalidArgument", f"column {name} is not in the table, or of another type")
            if not schema.field(at).nullable and batch[name].null_count:
                raise Refusal(400, "InvalidArgument", f"column {name} cannot be null")
            longest = pc.max(pc.binary_length(batch[name])).as_py() if pa.types.is_string(batch[name].type) else 0
            if (longest or 0) > self.limits.cell:
                raise Refusal(400, "TabularCellTooLarge", f"column {name} has a cell of {longest} bytes")
        return ids, batch

    def _insert(self, tx: Transaction, request: Request) -> Response:
        table = self._table(tx, request)
        _, sent = self._rows(request, table.schema)
        known = set(sent.schema.names)
        columns = [sent[f.name] if f.name in known else pa.nulls(sent.num_rows, f.type) for f in table.schema]
        lacking = [f.name for f in table.schema if not f.nullable and f.name not in known]
        if lacking:
            raise Refusal(400, "InvalidArgument", f"column {lacking[0]} cannot be null")
        ids = self.store.insert(tx, table, pa.record_batch(columns, schema=table.schema))
        batch = pa.record_batch([pa.array(ids).cast(table.id_type)], names=[query.ROW_ID])
        return Response(_stream_of(batch))

    def _update(self, tx: Transaction, request: Request) -> None:
        table = self._table(tx, request)
        ids, values = self._rows(request, table.schema)
        self.store.update(tx, table, ids, values)

    def _delete(self, tx: Transaction, request: Request) -> None:
        table = self._table(tx, request)
        self.store.delete(tx, table, self._rows(request, table.schema)[0])


def _stream_of(batch: pa.RecordBatch) -> bytes:
    return batch.schema.serialize().to_pybytes() + batch.serialize().to_pybytes() + query.END_OF_STREAM


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    emulator: Emulator


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    # An answer goes out in one segment, or the client waits for the second.
    wbufsize = -1
    disable_nagle_algorithm = True

    def version_string(self) -> str:
        # From 5.5 on the SDK wants facts in the columns' metadata instead of some requests.
        return "vast 5.4.0.0"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: the counters tell."""

    def _send(self, answer: Response, status: int = 200) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(answer.body))} | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _handle(self) -> None:
        emulator = self.server.emulator
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = tuple(unquote(part) for part in url.path.split("/") if part)
        parameters = dict(parse_qsl(url.query, keep_blank_values=True))
        if path[:1] == ("-",):
            self._send(Response(self._control(emulator, path[1], body)))
            return
        command = next((name for name, value in parameters.items() if not value), "")
        kind = _KINDS.get((self.command, command))
        try:
            if kind is None:
                raise Refusal(501, "NotImplemented", f"{self.command} {self.path}")
            lose = emulator.faults.before(kind)
            tx_id = int(self.headers.get("tabular-txid") or 0)
            answer = emulator.answer(kind, Request(path, parameters, self.headers, body, tx_id))
            if lose:
                raise Dropped
            self._send(answer)
        except Dropped:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        except Gateway as gateway:
            self._send(Response(b"<html>no answer from upstream</html>"), gateway.status)
        except Refusal as refusal:
            emulator.counters[str(refusal.status)] += 1
            words = f"<Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message>"
            self._send(Response(f"<Error>{words}</Error>".encode()), refusal.status)
        except Exception as error:  # A dropped connection would be taken for an outage, and a bug for that.
            words = escape(f"{type(error).__name__}: {error}")
            self._send(Response(f"<Error><Code>InternalError</Code><Message>{words}</Message></Error>".encode()), 500)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _handle

    def _control(self, emulator: Emulator, what: str, body: bytes) -> bytes:
        if what == "faults":
            if self.command == "PUT":
                emulator.faults.set([Fault(**fault) for fault in orjson.loads(body)])
            return orjson.dumps(emulator.faults.as_json())
        if self.command == "DELETE":
            emulator.counters.clear()
        return orjson.dumps(emulator.counters)
