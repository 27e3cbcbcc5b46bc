"""The Connexion application of the API. The only module that uses Connexion and its internals.

At start Connexion checks its OpenAPI 3.0 view of the document, resolves each operation to its handler and registers
its view with Flask. Requests then call the views directly: routing, authentication, validation and responses are this
server's own, so that schemas, validators and decorators are prepared once, and no WSGI request is built.

tests/unit/http/test_connexion_contract.py checks the internals of Connexion that this module relies on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from connexion import FlaskApp
from connexion.apps.flask import FlaskApi, FlaskASGIApp
from connexion.operations import AbstractOperation
from connexion.resolver import Resolver
from connexion.spec import Specification as ConnexionSpecification
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.shared.call import Handler
from tams_server.http.exchange import Exchange, exchange_of
from tams_server.http.page_bytes import within_page_bytes
from tams_server.http.responses import Response, ResponseWriter
from tams_server.http.serving_process import ServingProcess
from tams_server.specification.connexion_view import connexion_view
from tams_server.specification.document import SpecificationError
from tams_server.specification.load import Specification
from tams_server.specification.operations import Operation

Middleware = Callable[[ASGIApp], ASGIApp]
View = Callable[[Exchange], Response]


def connexion_app(
    specification: Specification,
    handlers: Mapping[str, Handler],
    middlewares: Sequence[Middleware],
    process: ServingProcess,
    responses: ResponseWriter,
) -> ASGIApp:
    """Return the ASGI application that calls the handlers.

    handlers: by operationId.
    middlewares: the outermost first. They must set the operation and the call of the exchange.
    """
    app = FlaskApp(
        __name__,
        middlewares=list(middlewares),
        server_args={"static_folder": None},
        resolver=Resolver(handlers.__getitem__),
    )
    operations = {operation.id: operation for operation in specification.operations}

    def make_view(source: AbstractOperation) -> View:
        return _view(operations[source.operation_id], source.function, responses)

    views = _Views(process, make_view)
    app.middleware.app = views
    app.add_api(connexion_view(specification.document), base_path="")
    # Connexion builds the stack on the first request. Built here, errors in it stop the server from starting.
    stack: ASGIApp = app.middleware._build_middleware_stack()[0]
    views.require(operations)
    return stack


class _Views(FlaskASGIApp):
    """Connexion's Flask application, whose views are called without a WSGI request."""

    def __init__(self, process: ServingProcess, make_view: Callable[[AbstractOperation], View]) -> None:
        super().__init__(__name__, {"static_folder": None})
        self._process = process
        self._make_view = make_view
        self._views: dict[str, View] = {}

    def add_api(self, specification: ConnexionSpecification, *, name: str | None = None, **kwargs: Any) -> FlaskApi:
        api = _FlaskApi(specification, make_view=self._add_view, **kwargs)
        self.app.register_blueprint(api.blueprint)
        return api

    def _add_view(self, operation: AbstractOperation) -> View:
        view = self._views[operation.operation_id] = self._make_view(operation)
        return view

    def require(self, operation_ids: Iterable[str]) -> None:
        """Raises SpecificationError if Connexion has not resolved all of these operations."""
        missing = sorted(set(operation_ids) - set(self._views))
        if missing:
            raise SpecificationError(f"Connexion did not resolve {', '.join(missing)}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        operation = exchange.operation
        assert operation is not None
        view = self._views[operation.id]
        if operation.method == "GET":
            response = await self._process.read(operation.id, view, exchange)
        else:
            response = await self._process.in_thread(view, exchange)
        await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
        await send({"type": "http.response.body", "body": response.body})


class _FlaskApi(FlaskApi):
    """Registers a plain view for each operation, without Connexion's decorators."""

    def __init__(self, *args: Any, make_view: Callable[[AbstractOperation], View], **kwargs: Any) -> None:
        self._make_view = make_view
        super().__init__(*args, **kwargs)

    def make_operation(self, operation: AbstractOperation) -> Any:
        return self._make_view(operation)


def _view(operation: Operation, handler: Handler, responses: ResponseWriter) -> View:
    def view(exchange: Exchange) -> Response:
        assert exchange.read_call is not None
        preconditions = exchange.preconditions
        return within_page_bytes(
            lambda call: responses.respond(operation, handler(call), preconditions), exchange.read_call()
        )

    return view
