"""What every request passes through: request id, CORS, HEAD without a body, problem documents, access log, metrics."""

import logging
import re
import secrets
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storage.catalog.violations import Outcome
from storage.change_notes import start_notes
from storage.errors import TamsError
from tams_server.errors import PROBLEM_TYPE, ClientDisconnected, InvalidResponse, problem
from tams_server.http.authentication import strip_access_token
from tams_server.http.base_url import BaseUrl
from tams_server.http.client_address import exact_address
from tams_server.http.exchange import Exchange, start_exchange
from tams_server.http.headers import allowed_headers, first_values
from tams_server.http.rejection import raise_rejection
from tams_server.http.request_audit import RequestAudit
from tams_server.http.violation_log import ViolationLog
from tams_server.logs import request_id_var
from tams_server.metrics.counters import Metrics
from tams_server.settings import Settings

_log = logging.getLogger(__name__)
_access_log = logging.getLogger("tams_server.access")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}")
_EXPOSED_HEADERS = (
    "Accept-Encoding, Allow, Content-Range, ETag, Accept-Ranges, Last-Modified, Link, Location, RateLimit, "
    "RateLimit-Policy, Retry-After, "
    "WWW-Authenticate, X-Paging-Count, X-Paging-Limit, X-Paging-NextKey, X-Paging-Reverse-Order, X-Paging-Timerange, "
    "X-Request-Id, X-Violated-Schema"
)
_METHODS = "GET, HEAD, PUT, POST, DELETE, OPTIONS"
_COMMON_HEADERS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", _EXPOSED_HEADERS.encode()),
    (b"x-content-type-options", b"nosniff"),
)
_PREFLIGHT_AGE_S = 7200
_SECRET_PATHS = ("/media/", "/oauth2/", "/docs", "/console")
"""Presigned URLs of media, requests for tokens, and pages to which an issuer sends people with a code."""
_SECRET_PARAMETERS = ("sig=", "secret=", "password=")
"""Of signed URLs of playlists, and what clients send in the wrong place."""
_CLIENT_CLOSED_REQUEST = 499  # nginx uses it for this as well; it only appears in the log and the metrics


class OuterMiddleware:
    """The outermost ASGI application.

    allowed: returns the methods of a raw API path as the Allow header lists them, or None if there is no such path.
    violations: counts the requests that break the published schemas; None if they are not counted.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        allowed: Callable[[str], str | None],
        metrics: Metrics,
        audit: RequestAudit,
        violations: ViolationLog | None = None,
    ) -> None:
        self._app = app
        self._allowed = allowed
        self._metrics = metrics
        self._audit = audit
        self._violations = violations
        self._base_url = BaseUrl(settings)
        self._trust_proxy = settings.trust_proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        exchange = self._exchange(scope)
        start_exchange(scope, exchange)
        token = request_id_var.set(exchange.request_id)
        sender = _ResponseSender(send, scope, exchange)
        notes = start_notes() if self._audit.is_on else {}
        self._metrics.start_request()
        try:
            raise_rejection(scope)
            if scope["method"] == "OPTIONS" and await self._respond_to_options(scope, exchange, sender):
                return
            await self._app(scope, receive, sender)
        except ClientDisconnected:
            sender.status = _CLIENT_CLOSED_REQUEST
        except InvalidResponse:
            raise
        except Exception as error:
            if not isinstance(error, TamsError):
                _log.exception("%s %s failed", scope["method"], exchange.raw_path)
            if sender.started:
                raise
            response = problem(error, exchange.raw_path, exchange.request_id)
            exchange.error_code = response.code
            exchange.broken_rule = error.schema_path if isinstance(error, TamsError) else None
            await sender.send_all(response.status, {**response.headers, "Content-Type": PROBLEM_TYPE}, response.body)
        finally:
            seconds = time.perf_counter() - started
            self._metrics.end_request(exchange.label, scope["method"], sender.status, seconds)
            if exchange.error_code is not None:
                self._metrics.count_error(exchange.error_code.name)
            if exchange.broken_rule is not None:
                self._record_violation(exchange, exchange.broken_rule)
            if self._audit.is_on:
                self._audit.finish(scope, exchange, sender.status, notes)
            if _access_log.isEnabledFor(logging.INFO):
                address = exact_address(scope, trust_proxy=self._trust_proxy)
                _log_access(scope, exchange, sender, seconds, address)
            request_id_var.reset(token)

    def _record_violation(self, exchange: Exchange, rule: str) -> None:
        """Count a request of a known caller that broke a schema: rejected for that, or accepted all the same."""
        if self._violations is not None and exchange.caller is not None and exchange.operation is not None:
            outcome: Outcome = "accepted" if exchange.error_code is None else "rejected"
            self._violations.record(outcome, exchange.operation.id, rule, exchange.caller.name)

    def _exchange(self, scope: Scope) -> Exchange:
        root_path = scope.get("root_path", "")
        raw_path = self._base_url.strip_base_path(scope)
        headers = first_values(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        query = scope["query_string"].decode("latin-1")
        base_url = self._base_url.of(scope, headers, root_path)
        return Exchange(request_id, raw_path, query, strip_access_token(query), headers, base_url)

    async def _respond_to_options(self, scope: Scope, exchange: Exchange, sender: "_ResponseSender") -> bool:
        """Respond to a CORS preflight for any path, or to OPTIONS for a path of the API. Return whether it was one."""
        allowed = self._allowed(exchange.raw_path)
        preflight = b"origin" in exchange.headers
        if allowed is None and not preflight:
            return False
        headers = {"Allow": allowed or _METHODS}
        if preflight:
            requested = exchange.headers.get(b"access-control-request-headers", b"").decode("latin-1")
            headers |= {
                "Access-Control-Allow-Methods": allowed or _METHODS,
                "Access-Control-Allow-Headers": allowed_headers(requested),
                "Access-Control-Max-Age": str(_PREFLIGHT_AGE_S),
                "Vary": "Access-Control-Request-Headers",
            }
        await sender.send_all(204, headers)
        return True


class _ResponseSender:
    """The `send` passed to the application: adds the common headers, and drops the body of responses to HEAD."""

    def __init__(self, send: Send, scope: Scope, exchange: Exchange) -> None:
        self._send = send
        self._is_head = scope["method"] == "HEAD"
        self._waits_to_send = b"expect" in exchange.headers
        self._exchange = exchange
        self._has_token_in_url = exchange.public_query != exchange.query_string
        self.status = 0
        self.size = 0
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            message = {**message, "headers": self._with_common_headers(message.get("headers", ()))}
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
            if self._is_head:
                message = {**message, "body": b""}
        await self._send(message)
        if message["type"] == "http.response.zerocopysend":
            self.size += message["count"]  # what was sent (tams_server.processes.direct_transfer)

    async def send_all(self, status: int, headers: MutableMapping[str, str], body: bytes = b"") -> None:
        """Send a complete response."""
        if status != 204:
            headers["Content-Length"] = str(len(body))
        encoded = [(name.lower().encode("latin-1"), _encode_value(value)) for name, value in headers.items()]
        await self({"type": "http.response.start", "status": status, "headers": encoded})
        await self({"type": "http.response.body", "body": body})

    def _with_common_headers(self, given: Any) -> list[tuple[bytes, bytes]]:
        headers = list(given)
        present = {name for name, _ in headers}
        headers += [pair for pair in _COMMON_HEADERS if pair[0] not in present]
        headers.append((b"x-request-id", self._exchange.request_id.encode()))
        if b"cache-control" not in present:
            # With an entity tag a cache may keep the response, if it asks again before each use.
            reusable = b"etag" in present and not self._has_token_in_url
            headers.append((b"cache-control", b"no-cache" if reusable else b"no-store"))
        headers += self._exchange.rate_limits
        if self._exchange.broken_rule is not None and self.status < 400:
            headers.append((b"x-violated-schema", self._exchange.broken_rule.encode("latin-1", "replace")))
        if self._waits_to_send and self.status >= 400 and b"connection" not in present:
            # A client that waits for 100 Continue may send the body, or the next request (RFC 9110, 10.1.1).
            headers.append((b"connection", b"close"))
        return headers


def _encode_value(value: str) -> bytes:
    """Encode a header value, which may contain any text sent by a client, so that it cannot end the header."""
    return value.replace("\r", " ").replace("\n", " ").encode("latin-1", "replace")


def _log_access(scope: Scope, exchange: Exchange, sender: _ResponseSender, seconds: float, address: str) -> None:
    query = exchange.public_query
    is_secret = exchange.raw_path.startswith(_SECRET_PATHS) or any(name in query for name in _SECRET_PARAMETERS)
    shown = "" if is_secret or not query else f"?{query}"
    _access_log.info(
        "%s %s%s %d %d bytes %.1f ms %s %s",
        scope["method"],
        exchange.raw_path,
        shown,
        sender.status,
        sender.size,
        seconds * 1000,
        exchange.caller.name if exchange.caller else "-",
        address or "-",
    )
