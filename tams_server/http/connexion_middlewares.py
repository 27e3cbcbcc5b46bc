"""Security and validation as Connexion middlewares: from a routed request to a Call that a handler can take.

In this order: credential (401), method and path (404, 405), scope (403), path (404), then, where body or query are
invalid, the addressed resource (404, 403), then 400 (A33). Nothing of the body is read before the scope is known.
"""

from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.shared.call import ABSENT, Call
from storage.errors import Invalid
from tams_server.http.authentication import check_scopes, presented_in, without_token
from tams_server.http.exchange import Exchange, exchange_of
from tams_server.http.operation_handlers import Addressed
from tams_server.http.parameters import read_path, read_query
from tams_server.http.request_bodies import check_media_type, header, parse_body, read_body, validate_body
from tams_server.http.routing import PathTable
from tams_server.http.runtime import Runtime
from tams_server.specification.operations import Operation


class Security:
    """Sets the caller of the exchange, for every path, known or not."""

    def __init__(self, app: ASGIApp, *, runtime: Runtime, table: PathTable) -> None:
        self._app = app
        self._runtime = runtime
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        presented = presented_in(scope)
        authenticator = self._runtime.authenticator
        caller = authenticator.remembered(presented)
        if caller is None:
            caller = await self._runtime.in_thread(authenticator.caller, presented)
        exchange.caller = caller
        if exchange.operation is None:
            raise self._table.refusal(exchange.raw_path, scope["method"])
        check_scopes(caller, exchange.operation)
        await self._app(scope, receive, send)


class Validation:
    """Sets the call of the exchange."""

    def __init__(self, app: ASGIApp, *, runtime: Runtime, addressed: Addressed) -> None:
        self._app = app
        self._runtime = runtime
        self._addressed = addressed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        operation = exchange.operation
        assert operation is not None
        path = read_path(operation, exchange.raw_parameters)
        if operation.body is not None:
            raw = await read_body(scope, receive, self._runtime.settings.max_body_bytes)
            content_type = header(scope, b"content-type") if raw else None
            exchange.call = await self._runtime.in_thread(
                self._checked_call, exchange, operation, path, raw, content_type
            )
        else:
            try:
                exchange.call = self._call(exchange, path, read_query(operation, exchange.query_string))
            except Invalid:
                await self._runtime.in_thread(self._addressed, self._call(exchange, path), operation.id)
                raise
        await self._app(scope, receive, send)

    def _checked_call(
        self, exchange: Exchange, operation: Operation, path: dict[str, str], raw: bytes, content_type: str | None
    ) -> Call:
        try:
            query = read_query(operation, exchange.query_string)
            check_media_type(content_type)
            body = parse_body(operation, raw)
            validate_body(operation, body)
        except Invalid:
            self._addressed(self._call(exchange, path), operation.id)
            raise
        return self._call(exchange, path, query, body)

    def _call(
        self, exchange: Exchange, path: dict[str, str], query: Mapping[str, Any] | None = None, body: Any = ABSENT
    ) -> Call:
        assert exchange.caller is not None
        query_string = without_token(exchange.query_string)
        return Call(
            catalog=self._runtime.parts.catalog,
            caller=exchange.caller,
            path=path,
            query=query if query is not None else {},
            body=body,
            base_url=exchange.base_url,
            target=f"{exchange.raw_path}?{query_string}" if query_string else exchange.raw_path,
        )
