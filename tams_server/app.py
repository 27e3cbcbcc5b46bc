"""The ASGI application: the outer middleware around the pages, the media plane and the API."""

import functools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from tams_server.http.api_middlewares import AuthenticationAndScopes, RequestValidation
from tams_server.http.authentication import check_schemes
from tams_server.http.connexion_app import Middleware, connexion_app
from tams_server.http.error_precedence import ResourceErrorsFirst
from tams_server.http.operation_handlers import find_handlers, find_resource_check
from tams_server.http.outer_middleware import OuterMiddleware
from tams_server.http.path_router import PathRouter, Route
from tams_server.http.responses import ResponseWriter
from tams_server.http.routing import OperationRouting, PathTable
from tams_server.http.serving_process import ServingProcess
from tams_server.media.media_plane import media_plane
from tams_server.metrics.build_info_collector import BuildInfoCollector
from tams_server.metrics.counters import Metrics
from tams_server.pages.docs_page import docs_page
from tams_server.pages.health_pages import liveness_page, readiness_page
from tams_server.pages.metrics_page import metrics_page
from tams_server.settings import Settings
from tams_server.specification.load import Specification, load_specification
from tams_server.version import software_version
from tams_server.wiring import Parts, open_parts


def api_folder(settings: Settings) -> Path:
    """Return the folder of the API description: that of the settings, or the project's own."""
    return settings.api_dir or _own_api_folder()


def read_specification(settings: Settings) -> Specification:
    """Return the specification in force. The overlay is always the project's own. Raises SpecificationError."""
    specification = load_specification(api_folder(settings), _own_api_folder() / "overlay.yaml")
    check_schemes(specification.document)
    return specification


def create_app(
    settings: Settings, *, parts: Callable[[], Parts] | None = None, handlers: str = "handlers"
) -> "Application":
    """Return the ASGI application. It opens nothing until its lifespan starts, or until its first request.

    parts: opens the catalogue and the stores. By default they are those of the settings, which must have been
    prepared (tams_server.wiring.prepare).
    handlers: the name of the package with the handlers.
    Raises SpecificationError.
    """
    return Application(settings, partial(open_parts, settings) if parts is None else parts, handlers)


class Application:
    """The ASGI application. Its attributes are for the gunicorn server, tests and benchmarks."""

    def __init__(self, settings: Settings, parts: Callable[[], Parts], handlers: str) -> None:
        self.specification = read_specification(settings)
        self.process = ServingProcess(settings, parts)
        self.metrics = Metrics()
        self.responses = ResponseWriter(
            fail_on_violation=settings.fail_on_bad_answer, on_violation=self.metrics.count_invalid_response
        )
        table = PathTable(self.specification.operations)
        router = PathRouter(self._routes(), default=self._api(table, handlers))
        self._app = OuterMiddleware(router, settings, table.allowed, self.metrics)

    def _routes(self) -> Iterator[Route]:
        """The routes outside the API, each with its path and its label in metrics."""
        process, document = self.process, self.specification.document
        docs = docs_page(document)
        yield Route("/healthz", "healthz", liveness_page())
        yield Route("/readyz", "readyz", readiness_page(lambda: process.parts.check_writable()))
        yield Route("/openapi.json", "docs", docs)
        yield Route("/docs", "docs", docs)
        yield Route("/docs/", "docs", docs)
        yield Route("/media/", "media", _media_plane(process))
        if process.settings.metrics:
            build_info = BuildInfoCollector(software_version(), self.specification.api_version)
            page = metrics_page(self.metrics, lambda: process.parts.catalog.job_control.backlog(), build_info)
            yield Route("/metrics", "metrics", page)

    def _api(self, table: PathTable, handlers: str) -> ASGIApp:
        process, specification = self.process, self.specification
        middlewares: list[Middleware] = [
            partial(OperationRouting, table=table),
            partial(AuthenticationAndScopes, process=process, table=table),
            partial(ResourceErrorsFirst, process=process, check_resource=find_resource_check(handlers)),
            partial(RequestValidation, process=process, api_version=specification.api_version),
        ]
        functions = find_handlers(specification.operations, handlers)
        return connexion_app(specification, functions, middlewares, process, self.responses)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self.process.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.process.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _media_plane(process: ServingProcess) -> ASGIApp:
    """The media plane over the stores of the process, which are opened with the first request at the latest."""

    @functools.cache
    def plane() -> ASGIApp:
        return media_plane(
            process.parts.folders,
            process.authenticator.authenticate,
            process.parts.catalog.object_uploads,
            max_upload_bytes=process.settings.max_upload_bytes,
        )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await plane()(scope, receive, send)

    return app


def _own_api_folder() -> Path:
    """The project's API folder: inside the package once installed, beside it in a checkout."""
    installed = Path(__file__).parent / "api"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "api"
