"""One HTTP/1 connection: uvicorn's, with limits on the head of a request, and with errors of our own.

Only this process reads the bytes of clients, so the limits hold on every path, before credentials are known. It builds
on undocumented members of uvicorn, which tests/unit/processes/test_gunicorn_contract.py checks.
"""

import asyncio
from collections import deque
from typing import Any, NoReturn, cast
from urllib.parse import quote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tams_server.errors import BadRequest, HeadersTooLarge, HttpError, TargetTooLong, TooSlow, UnsupportedTransferCoding
from tams_server.http.limits import HEADER_BYTES, HEADER_LINES, TARGET_BYTES
from tams_server.http.rejection import reject
from tams_server.http.request_target import check_host, origin_form

_LINE_BYTES = len(b": \r\n")
_LINGER_S = 2.0
"""Time for which a connection is read after its last response. Closing it with unread data would reset it, and the
client could lose the response."""
_LAST_REQUEST_S = 1.0
"""Time for which idle connections stay open when the server stops, for requests that are already on their way."""


def connection_class(head_timeout_s: float) -> type["Connection"]:
    """Return the class of connections on which a request's head must be complete after `head_timeout_s` seconds."""
    return type("Connection", (Connection,), {"head_timeout_s": head_timeout_s})


class Connection(HttpToolsProtocol):
    """A connection with limits.

    When the server stops, it still serves a request that is on its way. If it were closed at once, a proxy could not
    know whether the request had been processed.
    """

    head_timeout_s = 30.0
    _stopping = False
    _discarding = False  # what is still received is not a request any more
    _head_open = False  # between the first byte of a request and the end of its head
    _heads_begun = 0
    _pending_bytes = 0  # of a head, or of the trailers behind a body, that are not complete
    _body_advanced = False  # since the last bytes were received
    _header_bytes = 0
    _header_lines = 0
    _error: HttpError | None = None  # raised in a callback of the parser, which does not pass it on
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._lingering = _LingeringTransport(self)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            return
        earlier = self._heads_begun if self._head_open else None
        self._unset_keepalive_if_required()
        self._body_advanced = False
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._reject(self._error or BadRequest("the request is not valid HTTP/1.1"))
            return
        if self._head_open:
            self._pending_bytes = self._pending_bytes + len(data) if earlier == self._heads_begun else 0
            if self._pending_bytes > TARGET_BYTES + HEADER_BYTES:
                self._reject(_headers_too_large())
                return
        elif self.cycle is not None and self.cycle.more_body:
            # The parser keeps an incomplete trailer in memory.
            self._pending_bytes = 0 if self._body_advanced else self._pending_bytes + len(data)
            if self._pending_bytes > HEADER_BYTES:
                self._reject(_headers_too_large())
                return
        if self._head_timer is None and (self._head_open or not self._is_busy()):
            self._start_head_timer()

    def _feed(self, data: bytes) -> None:
        """Parse data. No upgrade is offered, so a request for one is served, and what follows it is another request."""
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] or len(data) :]

    def on_body(self, body: bytes) -> None:
        self._body_advanced = True
        super().on_body(body)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_open = True
        self._heads_begun += 1
        self._pending_bytes = self._header_bytes = self._header_lines = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > TARGET_BYTES:
            self._fail(TargetTooLong(f"the path and query must have at most {TARGET_BYTES} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_lines += 1
        self._header_bytes += len(name) + len(value) + _LINE_BYTES
        if self._header_lines > HEADER_LINES or self._header_bytes > HEADER_BYTES:
            self._fail(_headers_too_large())
        if self._head_open:  # otherwise a trailer, which must not become a header of a request that is being served
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        try:
            self._check_head()
        except HttpError as error:
            self._fail(error)
        super().on_headers_complete()
        self._head_open = False
        self._stop_head_timer()
        self.cycle.transport = cast(asyncio.Transport, self._lingering)
        if self._stopping:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Finish the request in progress, or serve one more, then close. The last response has Connection: close."""
        if self.cycle is None or self.cycle.response_complete:
            self._stopping = True
            self.loop.call_later(_LAST_REQUEST_S, super().shutdown)
        else:
            super().shutdown()

    @property
    def expects_more(self) -> bool:
        """Whether the client may still be sending what it began: a body, or a request that was rejected."""
        return self._discarding or (self.cycle is not None and self.cycle.more_body)

    def discard(self) -> None:
        """Read, and ignore, whatever still arrives."""
        self._discarding = True
        self._stop_head_timer()
        self.flow.resume_reading()

    def _check_head(self) -> None:
        method = self.parser.get_method().decode("ascii")
        hosts = [value for name, value in self.headers if name == b"host"]
        check_host(hosts, self.parser.get_http_version())
        codings = b",".join(value for name, value in self.headers if name == b"transfer-encoding")
        if {coding.strip().lower() for coding in codings.split(b",")} - {b"chunked", b""}:
            raise UnsupportedTransferCoding("Transfer-Encoding: must be chunked, or absent")
        target = origin_form(self.url, method)
        self.url = target.origin_form
        if target.host is not None and target.scheme is not None:
            self.headers[:] = [(b"host", target.host), *(pair for pair in self.headers if pair[0] != b"host")]
            self.scope["scheme"] = target.scheme

    def _fail(self, error: HttpError) -> NoReturn:
        self._error = error
        raise error

    def _is_busy(self) -> bool:
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)

    def _reject(self, error: HttpError) -> None:
        """Respond with an error after the responses to earlier requests, then close."""
        busy = self._is_busy()
        if not self._head_open and self.cycle is not None and self.cycle.more_body:
            broken, self._discarding = self.cycle, True
            waiting = deque(each for each in self.pipeline if each[0] is not broken)
            if len(waiting) < len(self.pipeline):
                self.pipeline = waiting
            elif broken.response_started:
                self._lingering.close()
                return
            else:
                busy = False
                broken.disconnected = True
                broken.message_event.set()
        cycle = self._error_cycle(error)
        self.discard()
        self.cycle = cycle
        if busy:
            self.pipeline.appendleft((cycle, self.app))
        else:
            self._start_asgi_task(cycle, self.app)

    def _error_cycle(self, error: HttpError) -> RequestResponseCycle:
        target = self.url if self._head_open and self.url.startswith(b"/") else b"/"
        path = quote(target.partition(b"?")[0][:1000], safe="/%:@!$&'()*+,;=~")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": self.parser.get_method().decode("ascii") if self._head_open and self.url else "GET",
            "root_path": self.root_path,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": list(self.headers) if self._head_open else [],
            "state": {},
        }
        reject(scope, error)
        return RequestResponseCycle(
            scope=scope,  # type: ignore[arg-type]
            transport=cast(asyncio.Transport, self._lingering),
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._head_timed_out)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_timed_out(self) -> None:
        self._head_timer = None
        if self._is_busy():
            self._start_head_timer()  # the delay may be ours: reading pauses while earlier requests are served
        elif self._head_open:
            self._reject(TooSlow(f"the head of the request was not complete after {self.head_timeout_s:g} seconds"))
        else:
            self.transport.close()


class _LingeringTransport:
    """The transport for responses. `close` reads on for a while if the client may still be sending."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._transport = connection.transport
        self._closed = False

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        if not self._connection.expects_more or self._transport.is_closing():
            self._transport.close()
        elif not self._closed:
            self._closed = True
            self._connection.discard()
            self._transport.write_eof()
            self._connection.loop.call_later(_LINGER_S, self._transport.close)


def _headers_too_large() -> HeadersTooLarge:
    return HeadersTooLarge(f"the headers must have at most {HEADER_LINES} lines and {HEADER_BYTES} bytes together")
