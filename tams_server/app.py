"""Puts the application together: front, health, documentation, media plane, and the API by Connexion."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from tams_server.http.authentication import check_schemes
from tams_server.http.connexion_app import connexion_app
from tams_server.http.exchange import exchange_of
from tams_server.http.operation_handlers import find_handlers, find_preconditions
from tams_server.http.outer_middleware import OuterMiddleware
from tams_server.http.responses import ResponseWriter
from tams_server.http.routing import PathTable
from tams_server.http.runtime import Runtime
from tams_server.media.media_plane import media_plane
from tams_server.metrics.counters import Metrics
from tams_server.pages.docs_page import DocsPage
from tams_server.pages.health import PATHS as HEALTH_PATHS
from tams_server.pages.health import Health
from tams_server.pages.metrics_page import PATH as METRICS_PATH
from tams_server.pages.metrics_page import MetricsPage
from tams_server.settings import Settings
from tams_server.specification.load import Specification, load_specification
from tams_server.wiring import Parts, open_parts


def api_folder(settings: Settings) -> Path:
    """The API description to serve: that of the settings, else the project's own."""
    return settings.api_dir or _own_api_folder()


def read_specification(settings: Settings) -> Specification:
    """The specification in force. The overlay is always the project's own. Raises SpecificationError."""
    specification = load_specification(api_folder(settings), _own_api_folder() / "overlay.yaml")
    check_schemes(specification.document)
    return specification


def create_app(
    settings: Settings, *, parts: Callable[[], Parts] | None = None, handlers: str = "handlers"
) -> "Application":
    """The ASGI application. Nothing is opened before its lifespan starts, or its first request.

    parts: opens the catalogue and the stores; those of the settings, which must have been prepared
    (tams_server.wiring.prepare), unless given. handlers: the package with the handlers.
    Raises SpecificationError.
    """
    return Application(settings, partial(open_parts, settings) if parts is None else parts, handlers)


class Application:
    """specification: as loaded. answerer: makes the answers. metrics: what is counted, for Prometheus."""

    def __init__(self, settings: Settings, parts: Callable[[], Parts], handlers: str) -> None:
        self.specification = read_specification(settings)
        self.runtime = Runtime(settings, parts)
        self.metrics = Metrics()
        self.answerer = ResponseWriter(
            fail_on_bad_answer=settings.fail_on_bad_answer, on_violation=self.metrics.response_violated_specification
        )
        functions = find_handlers(self.specification.operations, handlers)
        table = PathTable()
        api = connexion_app(
            self.specification, functions, find_preconditions(handlers), self.runtime, table, self.answerer
        )
        document = self.specification.document
        page = MetricsPage(self.metrics, self.runtime, document["info"]["version"]) if settings.metrics else None
        router = _Router(api, Health(self.runtime), DocsPage(document), page, self.runtime)
        self._front = OuterMiddleware(router, settings, table.allowed, self.metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._front(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self.runtime.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.runtime.stop()
        await send({"type": "lifespan.shutdown.complete"})


class _Router:
    """Sends each request to its part by the first part of its path."""

    def __init__(self, api: ASGIApp, health: ASGIApp, docs: ASGIApp, metrics: ASGIApp | None, runtime: Runtime) -> None:
        self._api = api
        self._health = health
        self._docs = docs
        self._metrics = metrics
        self._runtime = runtime
        self._media: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        path = exchange.raw_path
        if path.startswith("/media/"):
            exchange.label = "media"
            app = self._media_plane()
        elif path in HEALTH_PATHS:
            exchange.label = path.removeprefix("/")
            app = self._health
        elif path in ("/openapi.json", "/docs") or path.startswith("/docs/"):
            exchange.label = "docs"
            app = self._docs
        elif path == METRICS_PATH and self._metrics is not None:
            exchange.label = "metrics"
            app = self._metrics
        else:
            app = self._api
        await app(scope, receive, send)

    def _media_plane(self) -> ASGIApp:
        if self._media is None:
            parts = self._runtime.parts
            self._media = media_plane(
                parts.folders,
                self._runtime.authenticator.authenticate,
                parts.catalog.objects.content_type,
                max_upload_bytes=self._runtime.settings.max_upload_bytes,
            )
        return self._media


def _own_api_folder() -> Path:
    """The project's API folder: inside the package once installed, beside it in a checkout."""
    installed = Path(__file__).parent / "api"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "api"
