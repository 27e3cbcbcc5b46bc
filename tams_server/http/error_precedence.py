"""The precedence of errors about the addressed resource over errors in the request."""

from starlette.types import ASGIApp, Receive, Scope, Send

from storage.errors import Invalid
from tams_server.http.exchange import exchange_of
from tams_server.http.operation_handlers import ResourceCheck
from tams_server.http.parameters import read_flag
from tams_server.http.serving_process import ServingProcess


class ResourceErrorsFirst:
    """Errors about the addressed resource take precedence over errors in the request: 404, 403, then 400 (A33).

    Everything that rejects a request as invalid runs inside this middleware, handlers included. The resource is
    checked only once a request has been found invalid, so that valid requests do not pay for it.
    """

    def __init__(self, app: ASGIApp, *, process: ServingProcess, check_resource: ResourceCheck) -> None:
        self._app = app
        self._process = process
        self._check_resource = check_resource

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Invalid:
            exchange = exchange_of(scope)
            assert exchange.operation is not None
            assert exchange.caller is not None
            await self._process.read(
                "resource check",
                self._check_resource,
                self._process.parts.catalog,
                exchange.caller,
                exchange.path_parameters,
                exchange.operation.id,
                read_flag(exchange.operation, "deleted", exchange.query_string),
            )
            raise
