"""The Connexion application: its FlaskApp over the 3.0 view, with our routing, security and validation as middlewares.

Connexion checks the view, resolves operations to handlers and builds the Flask application. What it would do anew on
every request (schemas, validators, decorators around each handler, three hops between threads for each answer) is
done once at start, or in one hop.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import flask
from connexion import FlaskApp
from connexion.apps.flask import FlaskApi, FlaskASGIApp
from connexion.operations import AbstractOperation
from connexion.resolver import Resolver
from connexion.spec import Specification as ConnexionSpecification
from starlette.types import ASGIApp, Receive, Scope, Send

from storage.errors import Invalid
from tams_server.http.connexion_middlewares import Security, Validation
from tams_server.http.exchange import Exchange, exchange_of
from tams_server.http.operation_handlers import Addressed, Handler
from tams_server.http.responses import ResponseWriter
from tams_server.http.routing import PathTable, Routing
from tams_server.http.runtime import Runtime
from tams_server.specification.connexion_view import connexion_view
from tams_server.specification.load import Specification
from tams_server.specification.operations import Operation

_EXCHANGE = "tams_server.exchange"


def connexion_app(
    specification: Specification,
    handlers: Mapping[str, Handler],
    addressed: Addressed,
    runtime: Runtime,
    table: PathTable,
    answerer: ResponseWriter,
) -> ASGIApp:
    """The ASGI application for all paths of the specification. Fills `table`.

    handlers: by operationId. Requests need an exchange in their scope (tams_server.front).
    """
    operations = {operation.id: operation for operation in specification.operations}
    app = FlaskApp(
        __name__,
        middlewares=[
            partial(Routing, table=table, operations=operations),
            partial(Security, runtime=runtime, table=table),
            partial(Validation, runtime=runtime, addressed=addressed),
        ],
        server_args={"static_folder": None},
        resolver=Resolver(handlers.__getitem__),
    )
    make_view = partial(_view, answerer=answerer, operations=operations, addressed=addressed)
    app.middleware.app = _FlaskASGIApp(runtime, make_view)
    app.add_api(connexion_view(specification.document), base_path="")
    # Connexion would build the stack with the first request; built now, faults show at start.
    stack: ASGIApp = app.middleware._build_middleware_stack()[0]
    return stack


class _FlaskASGIApp(FlaskASGIApp):
    """Connexion's Flask application, entered and left with one hop into a thread and back."""

    def __init__(self, runtime: Runtime, make_view: Callable[[AbstractOperation], Any]) -> None:
        super().__init__(__name__, {"static_folder": None})
        self._runtime = runtime
        self._make_view = make_view

    def add_api(self, specification: ConnexionSpecification, *, name: str | None = None, **kwargs: Any) -> FlaskApi:
        api = _FlaskApi(specification, make_view=self._make_view, **kwargs)
        self.app.register_blueprint(api.blueprint)
        return api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, headers, body = await self._runtime.in_thread(self._answer, exchange_of(scope))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, exchange: Exchange) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Run the WSGI application. The path it sees has placeholders for parameters, which the exchange holds."""
        operation = exchange.operation
        assert operation is not None
        environ = {
            "REQUEST_METHOD": operation.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": operation.path.replace("{", "").replace("}", ""),
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            _EXCHANGE: exchange,
        }
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            started.append((status, headers))

        chunks: Any = self.app.wsgi_app(environ, start_response)
        try:
            body = b"".join(chunks)
        finally:
            chunks.close()
        status, headers = started[0]
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return int(status[:3]), encoded, body


class _FlaskApi(FlaskApi):
    """Registers a plain view for each operation, without Connexion's decorators."""

    def __init__(self, *args: Any, make_view: Callable[[AbstractOperation], Any], **kwargs: Any) -> None:
        self._make_view = make_view
        super().__init__(*args, **kwargs)

    def make_operation(self, operation: AbstractOperation) -> Any:
        return self._make_view(operation)


def _view(
    source: AbstractOperation, *, answerer: ResponseWriter, operations: Mapping[str, Operation], addressed: Addressed
) -> Callable[..., flask.Response]:
    handler: Handler = source.function
    operation = operations[source.operation_id]

    def view(**_placeholders: str) -> flask.Response:
        exchange: Exchange = flask.request.environ[_EXCHANGE]
        call = exchange.call
        assert call is not None
        try:
            answer = handler(call)
        except Invalid:
            # What only a handler can see to be wrong comes after what is wrong with the resource too (A33).
            addressed(call, operation.id)
            raise
        return answerer.respond(operation, answer)

    return view
