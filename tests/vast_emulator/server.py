"""The emulator's HTTP server, for requests of the SDK and, under `/-/`, for tests that set faults and read counters."""

import secrets
import socket
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

import orjson

from tests.vast_emulator.errors import Rejection
from tests.vast_emulator.faults import Dropped, Fault, Faults, GatewayError
from tests.vast_emulator.operations import KINDS, Operations, Request, Response
from tests.vast_emulator.store import ConflictMode, Store


@dataclass(frozen=True)
class Limits:
    """The largest request body and cell, in bytes."""

    request: int = 5 << 20
    cell: int = 128 << 10


class Emulator:
    """A cluster with one bucket, on `port` of this machine or any free one.

    mode: whether a transaction that changes the same row as another fails at the statement or at the commit.
    folder: where commits are kept, so that another emulator can resume from there.
    shuffle: return rows in no particular order, as a cluster does, which promises none.
    idle_s: seconds after which an idle transaction is rolled back.
    direct_reads: whether queries without a transaction are accepted.
    counters: number of requests of each kind and of responses of each error status.
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
        direct_reads: bool = True,
    ) -> None:
        self.direct_reads = direct_reads
        self.store = Store(bucket, mode, folder, idle_s)
        self.access = access
        self.faults = Faults()
        self.counters: Counter[str] = Counter()
        self.limits = limits or Limits()
        seed = secrets.randbits(40) if shuffle else None
        self.operations = Operations(self.store, self.counters, self.limits.cell, seed)
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.emulator = self
        self.port = self._http.server_port
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def url(self, schema: str) -> str:
        """The database URL of a schema, for TAMS_DATABASE_URL. The secret is not checked."""
        return f"vast+http://{self.access}:secret@127.0.0.1:{self.port}/{self.store.bucket}/{schema}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def respond(self, kind: str, request: Request) -> Response:
        """Carry out one request of the SDK. Raises Rejection."""
        if len(request.body) > self.limits.request:
            raise Rejection(400, "TabularRequestTooLarge", f"{len(request.body)} bytes exceed {self.limits.request}")
        if f"Credential={self.access}/" not in (request.headers.get("Authorization") or ""):
            raise Rejection(403, "AccessDenied", "unknown access key")
        with self.store.lock:
            self.counters[kind] += 1
            if kind == "probe":
                return Response()
            if kind == "begin":
                return Response(headers={"tabular-txid": str(self.store.begin().id)})
            if kind == "bucket":
                if request.path[0] != self.store.bucket:
                    raise Rejection(404, "NoSuchBucket", request.path[0])
                return Response()
            is_direct = self.direct_reads and kind == "select" and not request.tx_id
            tx = self.store.current_view() if is_direct else self.store.transaction(request.tx_id)
            return self.operations.perform(kind, tx, request)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    emulator: Emulator

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the traceback of an exception, unless it is that a client was killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    # Send each response in one segment: with two, the client waits for the second.
    wbufsize = -1
    disable_nagle_algorithm = True

    def version_string(self) -> str:
        # From 5.5 on, the SDK expects column metadata in place of some requests.
        return "vast 5.4.0.0"

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the counters show the requests."""

    def _send(self, response: Response, status: int = 200) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(response.body))} | response.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def _send_error(self, status: int, code: str, message: str) -> None:
        text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        self._send(Response(text.encode()), status)

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
        kind = KINDS.get((self.command, command))
        try:
            if kind is None:
                raise Rejection(501, "NotImplemented", f"{self.command} {self.path}")
            lose_response = emulator.faults.inject(kind)
            tx_id = int(self.headers.get("tabular-txid") or 0)
            response = emulator.respond(kind, Request(path, parameters, self.headers, body, tx_id))
            if lose_response:
                raise Dropped
            self._send(response)
        except Dropped:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        except GatewayError as error:
            self._send(Response(b"<html>no response from upstream</html>"), error.status)
        except Rejection as rejection:
            emulator.counters[str(rejection.status)] += 1
            self._send_error(rejection.status, rejection.code, rejection.message)
        except Exception as error:  # A bug. Dropping the connection would make it look like an outage.
            self._send_error(500, "InternalError", f"{type(error).__name__}: {error}")

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _handle

    def _control(self, emulator: Emulator, resource: str, body: bytes) -> bytes:
        """PUT or GET `faults`; GET or DELETE `counters`."""
        if resource == "faults":
            if self.command == "PUT":
                emulator.faults.set([Fault(**fault) for fault in orjson.loads(body)])
            return orjson.dumps(emulator.faults.as_json())
        if self.command == "DELETE":
            emulator.counters.clear()
        return orjson.dumps(emulator.counters)
