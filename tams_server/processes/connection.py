"""One HTTP/1 connection: uvicorn's, with limits on the head of a request, and with errors of our own.

Only this process reads the bytes of clients, so the limits hold on every path, before credentials are known. It builds
on undocumented members of uvicorn, which tests/unit/processes/test_gunicorn_contract.py checks.
"""

import asyncio
from collections import deque
from typing import NoReturn, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tams_server.errors import BadRequest, HeadersTooLarge, HttpError, TargetTooLong, TooSlow
from tams_server.http.limits import HEADER_BYTES, HEADER_LINES, TARGET_BYTES
from tams_server.http.request_target import check_host, check_transfer_coding, origin_form
from tams_server.processes.connection_guard import ConnectionGuard, ConnectionLimits
from tams_server.processes.direct_socket import DirectSocket
from tams_server.processes.direct_transfer import offer_direct_transfer
from tams_server.processes.rejected_request import rejected_cycle
from tams_server.processes.response_transport import ResponseTransport, join_head_and_body

_LINE_BYTES = len(b": \r\n")
_NO_LIMITS = ConnectionLimits()
_MAX_DECODED = 100  # percent-encoded bytes of a target whose path uvicorn decodes
_LAST_REQUEST_S = 1.0
"""Time for which idle connections stay open when the server stops, for requests that are already on their way."""


def connection_class(head_timeout_s: float, limits: ConnectionLimits = _NO_LIMITS) -> type["Connection"]:
    """Return the class of the connections of a process.

    head_timeout_s: time within which the head of a request must be complete.
    """
    guard = ConnectionGuard(limits)
    return type("Connection", (Connection,), {"head_timeout_s": head_timeout_s, "guard": guard})


class Connection(HttpToolsProtocol):
    """A connection with limits.

    When the server stops, it still serves a request that is on its way. If it were closed at once, a proxy could not
    know whether the request had been processed.
    """

    head_timeout_s = 30.0
    guard = ConnectionGuard(_NO_LIMITS)
    _stopping = False
    _discarding = False  # what is still received is not a request any more
    _head_open = False  # between the first byte of a request and the end of its head
    _repeats_head = False  # the parser is fed a head that has been handled already
    _heads_begun = 0
    _pending_bytes = 0  # of a head, or of the trailers behind a body, that are not complete
    _body_advanced = False  # since the last bytes were received
    body_bytes = 0  # of the present request, that the event loop has read
    _header_bytes = 0
    _header_lines = 0
    _error: HttpError | None = None  # raised in a callback of the parser, which does not pass it on
    _head_timer: asyncio.TimerHandle | None = None
    _direct: DirectSocket | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._lingering = ResponseTransport(self)
        error = self.guard.add(self, self.loop)
        if error is None:
            self._start_head_timer()
        elif self.guard.is_flooded:
            self.discard()
            self.transport.abort()
        else:
            self._reject(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self.guard.remove(self)
        self._stop_head_timer()
        if self._direct is not None:
            self._direct.connection_lost()
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
        """Parse data. No upgrade is offered, so a request for one is served like any other."""
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] or len(data) :]
                self._expect_body()

    def _expect_body(self) -> None:
        """Let a new parser read the body of a request for an upgrade, which the present one takes to have none.

        Otherwise the body would be the next request, in the name of the caller who sent it through the same proxy.
        """
        framing = [pair for pair in self.headers if pair[0] in (b"content-length", b"transfer-encoding")]
        if not framing:
            return
        self.parser = _new_parser(self)
        self.cycle.more_body = self._repeats_head = True
        try:
            self.parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(b"%b: %b\r\n" % pair for pair in framing))
        finally:
            self._repeats_head = False

    def on_body(self, body: bytes) -> None:
        self._body_advanced = True
        self.body_bytes += len(body)
        super().on_body(body)

    def on_message_begin(self) -> None:
        if self._repeats_head:
            return
        super().on_message_begin()
        self._head_open = True
        self._heads_begun += 1
        self._pending_bytes = self._header_bytes = self._header_lines = self.body_bytes = 0

    def on_url(self, url: bytes) -> None:
        if self._repeats_head:
            return
        super().on_url(url)
        if len(self.url) > TARGET_BYTES:
            self._fail(TargetTooLong(f"the path and query must have at most {TARGET_BYTES} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._repeats_head:
            return
        self._header_lines += 1
        self._header_bytes += len(name) + len(value) + _LINE_BYTES
        if self._header_lines > HEADER_LINES or self._header_bytes > HEADER_BYTES:
            self._fail(_headers_too_large())
        if self._head_open:  # otherwise a trailer, which must not become a header of a request that is being served
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._repeats_head:
            return
        try:
            self._check_head()
        except HttpError as error:
            self._fail(error)
        if self.url.count(b"%") <= _MAX_DECODED:
            super().on_headers_complete()
        else:
            self._complete_head_undecoded()
        self._head_open = False
        self._stop_head_timer()
        self.cycle.transport = cast(asyncio.Transport, self._lingering)
        if self.scheme == "http":
            offer_direct_transfer(self, self.cycle)
        join_head_and_body(self.cycle, self._lingering)
        if self._stopping:
            self.cycle.keep_alive = False

    def _complete_head_undecoded(self) -> None:
        """Leave the path of the scope percent-encoded: decoding takes milliseconds, and raw_path is what is read."""
        encoded = httptools.parse_url(self.url)
        self.url = self.url.replace(b"%", b"_")
        super().on_headers_complete()
        self.scope["path"], self.scope["raw_path"] = self.root_path + encoded.path.decode("ascii"), encoded.path
        self.scope["query_string"] = encoded.query or b""

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

    def lend_socket(self) -> DirectSocket:
        """Return the socket for direct use. The borrower closes it."""
        self._direct = DirectSocket(self.transport, self.loop)
        return self._direct

    def end_body(self, cycle: RequestResponseCycle) -> None:
        """Continue with the next request. The body of the present one has been read without the parser."""
        self._pending_bytes = 0
        self.parser = _new_parser(self)
        cycle.more_body = False
        cycle.message_event.set()

    def _check_head(self) -> None:
        method = self.parser.get_method().decode("ascii")
        hosts = [value for name, value in self.headers if name == b"host"]
        check_host(hosts, self.parser.get_http_version())
        check_transfer_coding([value for name, value in self.headers if name == b"transfer-encoding"])
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
        transport = cast(asyncio.Transport, self._lingering)
        cycle = rejected_cycle(self, transport, error, has_head=self._head_open)
        self.discard()
        self.cycle = cycle
        if busy:
            self.pipeline.appendleft((cycle, self.app))
        else:
            self._start_asgi_task(cycle, self.app)

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


def _new_parser(connection: Connection) -> httptools.HttpRequestParser:
    parser = httptools.HttpRequestParser(connection)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def _headers_too_large() -> HeadersTooLarge:
    return HeadersTooLarge(f"the headers must have at most {HEADER_LINES} lines and {HEADER_BYTES} bytes together")
