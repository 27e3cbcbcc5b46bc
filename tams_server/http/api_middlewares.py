"""From a routed request to a Call that a handler can take.

Checks run in this order: credential (401); path and method (404, 405); scopes (403); path parameters (404); query,
media type and body (400, 415). The body is read only after the scopes have been checked.
"""

from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.shared.call import ABSENT, Call
from storage.nul import escape_document, may_need_escape
from tams_server.http.authentication import check_scopes, read_credential, strip_access_token
from tams_server.http.conditional_requests import scope_preconditions
from tams_server.http.content_codings import content_coding, inflate
from tams_server.http.exchange import Exchange, exchange_of
from tams_server.http.headers import header
from tams_server.http.parameters import read_path, read_query
from tams_server.http.request_bodies import check_media_type, parse_body, read_body, validate_body
from tams_server.http.routing import PathTable
from tams_server.http.serving_process import ServingProcess
from tams_server.specification.operations import Operation
from tams_server.version import software_version


class AuthenticationAndScopes:
    """Set the caller of the exchange, for every path, and reject paths, methods and callers that are not allowed."""

    def __init__(self, app: ASGIApp, *, process: ServingProcess, table: PathTable) -> None:
        self._app = app
        self._process = process
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises Unauthorized, NoSuchPath, MethodNotAllowed or Forbidden."""
        exchange = exchange_of(scope)
        credential = read_credential(scope)
        authenticator = self._process.authenticator
        caller = authenticator.cached_caller(credential)
        if caller is None:
            caller = await self._process.in_thread(authenticator.find_caller, credential)
        exchange.caller = caller
        if exchange.operation is None:
            raise self._table.no_operation_error(exchange.raw_path, scope["method"])
        check_scopes(caller, exchange.operation)
        await self._app(scope, receive, send)


class RequestValidation:
    """Set the path parameters, the preconditions and the call of the exchange."""

    def __init__(self, app: ASGIApp, *, process: ServingProcess, api_version: str) -> None:
        self._app = app
        self._process = process
        self._max_body_bytes = process.settings.max_body_bytes
        self._api_version = api_version
        self._software_version = software_version()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises NotFound, Invalid, TooLarge, TooSlow, UnsupportedMediaType or ClientDisconnected."""
        exchange = exchange_of(scope)
        operation = exchange.operation
        assert operation is not None
        exchange.path_parameters = read_path(operation, exchange.raw_parameters)
        exchange.preconditions = scope_preconditions(scope)
        if operation.body is None:
            exchange.call = self._call(exchange, read_query(operation, exchange.query_string))
        else:
            coding = content_coding(scope)
            raw = await read_body(scope, receive, self._max_body_bytes)
            content_type = header(scope, b"content-type") if raw else None
            # Bodies may be large: they are decoded, parsed and validated in a thread.
            exchange.call = await self._process.in_thread(
                self._call_with_body, exchange, operation, raw, coding, content_type
            )
        await self._app(scope, receive, send)

    def _call_with_body(
        self, exchange: Exchange, operation: Operation, raw: bytes, coding: str | None, content_type: str | None
    ) -> Call:
        query = read_query(operation, exchange.query_string)
        check_media_type(content_type)
        if coding is not None:
            raw = inflate(raw, coding, self._max_body_bytes)
        body = parse_body(operation, raw)
        validate_body(operation, body)
        if may_need_escape(raw):
            body = escape_document(body)
        return self._call(exchange, query, body)

    def _call(self, exchange: Exchange, query: Mapping[str, Any], body: Any = ABSENT) -> Call:
        assert exchange.caller is not None
        query_string = strip_access_token(exchange.query_string)
        return Call(
            catalog=self._process.parts.catalog,
            caller=exchange.caller,
            path=exchange.path_parameters,
            query=query,
            body=body,
            base_url=exchange.base_url,
            target=f"{exchange.raw_path}?{query_string}" if query_string else exchange.raw_path,
            api_version=self._api_version,
            software_version=self._software_version,
            preconditions=exchange.preconditions,
        )
