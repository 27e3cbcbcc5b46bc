"""The Connexion application of the API. The only module that uses Connexion and its internals.

Connexion checks its OpenAPI 3.0 view of the document, resolves each operation to its handler and registers it with
Flask. Routing, authentication, validation and responses are this server's own, so that schemas, validators and
decorators are prepared once at start instead of on every request, and each request takes one hop into a thread.

tests/unit/http/test_connexion_contract.py checks the internals of Connexion that this module relies on.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import flask
from connexion import FlaskApp
from connexion.apps.flask import FlaskApi, FlaskASGIApp
from connexion.operations import AbstractOperation
from connexion.resolver import Resolver
from connexion.spec import Specification as ConnexionSpecification
from starlette.types import ASGIApp, Receive, Scope, Send

from handlers.shared.call import Handler
from tams_server.http.exchange import Exchange, exchange_of
from tams_server.http.responses import ResponseWriter
from tams_server.http.serving_process import ServingProcess
from tams_server.specification.connexion_view import connexion_view
from tams_server.specification.load import Specification
from tams_server.specification.operations import Operation

Middleware = Callable[[ASGIApp], ASGIApp]

_EXCHANGE = "tams_server.exchange"


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
    app.middleware.app = _FlaskASGIApp(process, partial(_view, operations=operations, responses=responses))
    app.add_api(connexion_view(specification.document), base_path="")
    # Connexion builds the stack on the first request. Built here, errors in it stop the server from starting.
    stack: ASGIApp = app.middleware._build_middleware_stack()[0]
    return stack


class _FlaskASGIApp(FlaskASGIApp):
    """Connexion's Flask application, with one hop into a thread for each request."""

    def __init__(self, process: ServingProcess, make_view: Callable[[AbstractOperation], Any]) -> None:
        super().__init__(__name__, {"static_folder": None})
        self._process = process
        self._make_view = make_view

    def add_api(self, specification: ConnexionSpecification, *, name: str | None = None, **kwargs: Any) -> FlaskApi:
        api = _FlaskApi(specification, make_view=self._make_view, **kwargs)
        self.app.register_blueprint(api.blueprint)
        return api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, headers, body = await self._process.in_thread(self._run_flask, exchange_of(scope))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _run_flask(self, exchange: Exchange) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Run the WSGI application and return status, headers and body.

        Its path holds the names of the path parameters in place of their values, which are in the exchange.
        """
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
    source: AbstractOperation, *, operations: Mapping[str, Operation], responses: ResponseWriter
) -> Callable[..., flask.Response]:
    handler: Handler = source.function
    operation = operations[source.operation_id]

    def view(**_placeholders: str) -> flask.Response:
        exchange: Exchange = flask.request.environ[_EXCHANGE]
        assert exchange.call is not None
        return responses.respond(operation, handler(exchange.call), exchange.preconditions)

    return view
