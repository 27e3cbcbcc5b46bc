"""A collector of traces: it accepts spans by OTLP over HTTP (protobuf), and keeps them."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.conformance.kit.polling import wait_until


@dataclass(frozen=True, slots=True)
class Span:
    """ids in hexadecimal; parent_id: "" for none. failed: whether its status is an error."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    failed: bool
    attributes: dict[str, Any]
    service: str


@dataclass(slots=True)
class Collector:
    url: str
    _spans: list[Span] = field(default_factory=list)

    def wait_for(self, name: str) -> Span:
        """Return the first span of this name, once it is there."""
        wait_until(lambda: name in self.names(), f"the span {name}", timeout_s=30)
        return next(span for span in self._spans if span.name == name)

    def trace(self, trace_id: str) -> list[Span]:
        """The spans of a trace that have arrived so far."""
        return [span for span in self._spans if span.trace_id == trace_id]

    def names(self) -> set[str]:
        """The names of all spans that have arrived so far."""
        return {span.name for span in self._spans}

    def add(self, body: bytes) -> None:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _attributes(group.resource.attributes)["service.name"]
            for scope in group.scope_spans:
                self._spans += [
                    Span(
                        span.name,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        span.status.code == 2,
                        _attributes(span.attributes),
                        service,
                    )
                    for span in scope.spans
                ]


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector on a free port."""
    collector = Collector("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                collector.add(body)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()


def _attributes(found: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in found}
