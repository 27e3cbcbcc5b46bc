"""From a routed request to a Call that a handler can take.

Checks run in this order: credential (401); path and method (404, 405); scopes (403); path parameters (404); query,
media type and body (400, 415). The body is read only after the scopes have been checked.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.shared.call import ABSENT, Call, unlimited
from storage.catalog.caller import Caller
from storage.catalog.segments.segment_uploads import ReceivedSegment
from storage.nul import escape_document, may_need_escape
from tams_server.auth.scopes import check_scopes
from tams_server.http.body_memory import BodyMemory, BodyShare
from tams_server.http.conditional_requests import scope_preconditions
from tams_server.http.content_codings import content_coding, inflate
from tams_server.http.exchange import Exchange, exchange_of
from tams_server.http.form_boundary import boundary_of
from tams_server.http.json_documents import BULK, DOCUMENT, JsonLimits
from tams_server.http.json_lists import is_long_list, parse_list
from tams_server.http.pace import Pace
from tams_server.http.parameters import read_path, read_query
from tams_server.http.request_bodies import STALL_TIMEOUT_S, check_media_type, parse_body, read_body, validate_body
from tams_server.http.routing import PathTable
from tams_server.http.serving_process import ServingProcess
from tams_server.http.signed_playlists import is_signed_playlist, player_caller
from tams_server.specification.operations import Operation
from tams_server.version import software_version

_UNLIMITED = nullcontext()


class ReceivesSegments(Protocol):
    """Receives a segment with its bytes, as tams_server.media.segment_upload."""

    def receive(
        self, scope: Scope, receive: Receive, boundary: bytes, share: BodyShare
    ) -> AbstractAsyncContextManager[ReceivedSegment]: ...


class AuthenticationAndScopes:
    """Set the caller of the exchange, for every path, and reject paths, methods and callers that are not allowed."""

    def __init__(self, app: ASGIApp, *, process: ServingProcess, table: PathTable) -> None:
        self._app = app
        self._process = process
        self._table = table
        self._limits = process.request_limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises Unauthorized, TooManyRequests, NoSuchPath, MethodNotAllowed or Forbidden."""
        exchange = exchange_of(scope)
        if self._limits.limit_addresses:
            self._limits.check_address(exchange, self._process.address(scope))
        exchange.caller = caller = self._process.parts.catalog.apply_rules(await self._caller(scope, exchange))
        with self._limits.request_of(exchange, caller.name) if self._limits.limit_callers else _UNLIMITED:
            if exchange.operation is None:
                raise self._table.no_operation_error(exchange.raw_path, scope["method"])
            check_scopes(caller, exchange.operation)
            self._process.audit.begin(scope, exchange)
            await self._app(scope, receive, send)

    async def _caller(self, scope: Scope, exchange: Exchange) -> Caller:
        """Return the caller that the credential of a request names. Raises Unauthorized or TooManyRequests."""
        process = self._process
        if is_signed_playlist(exchange) and process.settings.url_tokens:
            return await process.read("signed playlist", player_caller, process.parts.catalog, exchange)
        with process.login(exchange) as credential:
            if credential is None:
                return process.anonymous_caller(exchange.headers)
            authenticator, owners = process.authenticator, process.parts.catalog.owners
            caller = authenticator.cached_caller(credential)
            if caller is not None:
                return caller
            found = await process.read("authentication", authenticator.look_up, credential)
            if not isinstance(found, Caller):
                found = await authenticator.check(found, credential, process.address(scope))
            if owners.is_new(found):
                await process.in_thread(owners.observe, found)
            return found


class RequestValidation:
    """Set the path parameters and the preconditions of the exchange, and how to read its call."""

    def __init__(self, app: ASGIApp, *, process: ServingProcess, api_version: str, segments: ReceivesSegments) -> None:
        self._app = app
        self._process = process
        self._segments = segments
        max_bytes = process.settings.max_body_bytes
        self._bulk_limits = replace(BULK, max_bytes=max_bytes)
        self._document_limits = replace(DOCUMENT, max_bytes=min(DOCUMENT.max_bytes, max_bytes))
        self._memory = BodyMemory(process.settings.body_memory)
        self._min_rate = process.settings.min_rate
        self._rate_window_s = min(process.settings.min_rate_window, STALL_TIMEOUT_S)
        self._tolerates = process.settings.validation_level == "relaxed"
        self._api_version = api_version
        self._software_version = software_version()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises NotFound, TooLarge, TooManyBodies, TooSlow, UnsupportedMediaType or ClientDisconnected.

        Bodies may be large: they are decoded, parsed and validated where the handler runs.
        """
        exchange = exchange_of(scope)
        operation = exchange.operation
        assert operation is not None
        exchange.path_parameters = read_path(operation, exchange.raw_parameters)
        exchange.preconditions = scope_preconditions(scope)
        if operation.body is None:
            exchange.read_call = partial(self._call, exchange)
            await self._app(scope, receive, send)
        elif operation.body.parts and (boundary := boundary_of(exchange.headers.get(b"content-type", b""))):
            with self._memory.share() as share:
                async with self._segments.receive(scope, receive, boundary, share) as received:
                    exchange.read_call = partial(self._call, exchange, upload=received)
                    await self._app(scope, receive, send)
        else:
            coding = content_coding(scope)
            limits = self._bulk_limits if operation.body.is_bulk else self._document_limits
            pace = Pace(self._min_rate, self._rate_window_s)
            with self._memory.share() as share:
                raw = await read_body(exchange.headers, receive, limits.max_bytes, pace, share=share)
                exchange.read_call = partial(self._call, exchange, EncodedBody(raw, coding, limits))
                await self._app(scope, receive, send)

    def _call(
        self, exchange: Exchange, encoded: "EncodedBody | None" = None, upload: ReceivedSegment | None = None
    ) -> Call:
        """Return the call of a request. Raises Invalid, TooLarge, TooManyBodies or UnsupportedMediaType."""
        operation, caller, query_string = exchange.operation, exchange.caller, exchange.public_query
        assert operation is not None
        assert caller is not None
        query = read_query(operation, exchange.query_string)
        body = ABSENT if encoded is None else self._body(exchange, operation, encoded)
        quotas = self._process.principal_quotas
        return Call(
            catalog=self._process.parts.catalog,
            caller=caller,
            path=exchange.path_parameters,
            query=query,
            body=body,
            base_url=exchange.base_url,
            target=f"{exchange.raw_path}?{query_string}" if query_string else exchange.raw_path,
            api_version=self._api_version,
            software_version=self._software_version,
            preconditions=exchange.preconditions,
            accept=exchange.headers.get(b"accept", b"").decode("latin-1"),
            allocating=partial(quotas.allocation, exchange, caller.name) if quotas.limit_allocations else unlimited,
            upload=upload,
        )

    def _body(self, exchange: Exchange, operation: Operation, encoded: "EncodedBody") -> Any:
        if encoded.raw:
            check_media_type(exchange.headers.get(b"content-type", b"").decode("latin-1"))
        tolerate = partial(setattr, exchange, "broken_rule") if self._tolerates else None
        if encoded.coding is None:
            return _document(operation, encoded.raw, encoded.limits, tolerate)
        with self._memory.share() as share:
            raw = inflate(encoded.raw, encoded.coding, encoded.limits.max_bytes, share)
            return _document(operation, raw, encoded.limits, tolerate)


@dataclass(frozen=True, slots=True)
class EncodedBody:
    """A body as it was sent. coding: its Content-Encoding, if any. limits: of the document in it."""

    raw: bytes | bytearray
    coding: str | None
    limits: JsonLimits


def _document(
    operation: Operation, raw: bytes | bytearray, limits: JsonLimits, tolerate: Callable[[str], None] | None
) -> Any:
    assert operation.body is not None
    if operation.body.is_bulk and is_long_list(raw):
        limits.check(raw)
        body = parse_list(operation, raw, tolerate)
    else:
        body = parse_body(operation, raw, replace(limits, max_bytes=min(limits.max_bytes, DOCUMENT.max_bytes)))
        validate_body(operation, body, tolerate=tolerate)
    return escape_document(body) if may_need_escape(raw) else body
