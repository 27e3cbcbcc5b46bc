"""A span for each HTTP request, with the attributes of OpenTelemetry's conventions for HTTP servers.

No span has a query string, a header or a body: they may contain credentials and what clients keep to themselves.
"""

from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tams_server.http.exchange import Exchange, exchange_of
from tams_server.http.headers import first_values
from tams_server.logs import trace_id_var
from tams_server.tracing.tracing import Tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
"""Those of RFC 9110 and RFC 5789. Others are the text of a client, which the conventions call _OTHER."""
_UNTRACED = ("/healthz", "/readyz", "/metrics")


class TracedRequests:
    """The ASGI application around OuterMiddleware, if requests are traced. Probes and scrapes are not."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].endswith(_UNTRACED):
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        with self._tracing.request(_name(method), first_values(scope["headers"])) as span:
            token = trace_id_var.set(f"{span.get_span_context().trace_id:032x}")
            status = 500

            async def noting_send(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await self._app(scope, receive, noting_send)
            finally:
                trace_id_var.reset(token)
                if span.is_recording():
                    _describe(span, method, status, exchange_of(scope))


def _name(method: str) -> str:
    """What a span's name has for a method."""
    return "HTTP" if method == "_OTHER" else method


def _describe(span: "Span", method: str, status: int, exchange: Exchange) -> None:
    from opentelemetry.trace import StatusCode

    operation = exchange.operation
    route = None if operation is None else operation.path
    span.update_name(f"{_name(method)} {route or exchange.label}")
    span.set_attributes(
        {
            "http.request.method": method,
            "http.response.status_code": status,
            "url.path": exchange.raw_path,
            "tams.operation": exchange.label,
            "tams.request_id": exchange.request_id,
        }
    )
    if route is not None:
        span.set_attribute("http.route", route)
    if status >= 500:
        span.set_status(StatusCode.ERROR)
