"""The ASGI application: the outer middleware around the pages, the media plane and the API."""

import functools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from storage.catalog.caller import SCOPES, Caller
from storage.catalog.credential import SCOPE_PREFIX
from storage.catalog.service import Identity
from tams_server.console.console_pages import ConsoleFiles, session_page
from tams_server.console.console_settings import Origins, console_settings, media_origins
from tams_server.http.address_limit import limited_by_address
from tams_server.http.api_middlewares import AuthenticationAndScopes, RequestValidation
from tams_server.http.authentication import check_schemes, remove_url_tokens
from tams_server.http.connexion_app import Middleware, connexion_app
from tams_server.http.error_precedence import ResourceErrorsFirst
from tams_server.http.exchange import exchange_of
from tams_server.http.operation_handlers import find_handlers, find_resource_check
from tams_server.http.outer_middleware import OuterMiddleware
from tams_server.http.path_router import PathRouter, Route
from tams_server.http.responses import ResponseWriter
from tams_server.http.routing import OperationRouting, PathTable
from tams_server.http.serving_process import ServingProcess
from tams_server.http.token_endpoint import PATH as TOKEN_PATH
from tams_server.http.token_endpoint import TokenEndpoint
from tams_server.http.traced_requests import TracedRequests
from tams_server.media.admission import Admission
from tams_server.media.media_plane import media_plane
from tams_server.media.segment_file import UploadMeans
from tams_server.media.segment_upload import SegmentReceiver
from tams_server.media.threads import MediaThreads
from tams_server.metrics.build_info_collector import BuildInfoCollector
from tams_server.metrics.counters import Metrics
from tams_server.pages.authorization_pages import KEYS_PATH, METADATA_PATHS, keys_page, metadata_page
from tams_server.pages.docs_login import CodeFlow
from tams_server.pages.docs_page import docs_page
from tams_server.pages.health_pages import liveness_page, readiness_page
from tams_server.pages.metrics_page import metrics_page
from tams_server.pages.page import WebPage
from tams_server.settings import Settings
from tams_server.specification.load import Specification, load_specification
from tams_server.tracing.tracing import Tracing, read_tracing
from tams_server.version import software_version
from tams_server.wiring import Parts, open_parts


def api_folder(settings: Settings) -> Path:
    """Return the folder of the API description: that of the settings, or the project's own."""
    return settings.api_dir or _own_api_folder()


def read_specification(settings: Settings) -> Specification:
    """Return the specification in force. The overlay is always the project's own. Raises SpecificationError."""
    specification = load_specification(api_folder(settings), _own_api_folder() / "overlay.yaml")
    if not settings.url_tokens:
        remove_url_tokens(specification.document)
    check_schemes(specification.document)
    return specification


def create_app(
    settings: Settings,
    *,
    parts: Callable[[], Parts] | None = None,
    identity: Identity | None = None,
    handlers: str = "handlers",
) -> "Application":
    """Return the ASGI application. It opens nothing until its lifespan starts, or until its first request.

    parts: opens the catalogue and the stores. By default they are those of the settings, which must have been
    prepared (tams_server.wiring.prepare).
    identity: as for tams_server.wiring.open_parts.
    handlers: the name of the package with the handlers.
    Raises: SpecificationError; SettingsError if traces are asked for and their packages are missing.
    """
    tracing = read_tracing(settings)
    opened = parts or partial(open_parts, settings, identity, tracing=tracing)
    return Application(settings, opened, handlers, tracing)


class Application:
    """The ASGI application. Its attributes are for the gunicorn server, tests and benchmarks."""

    def __init__(self, settings: Settings, parts: Callable[[], Parts], handlers: str, tracing: Tracing | None) -> None:
        self.specification = read_specification(settings)
        self._tracing = tracing
        self.metrics = Metrics()
        self.process = ServingProcess(settings, parts, on_audit_failure=self.metrics.count_audit_failure)
        self.responses = ResponseWriter(
            fail_on_violation=settings.fail_on_bad_answer, on_violation=self.metrics.count_invalid_response
        )
        self._media_threads = MediaThreads()
        table = PathTable(self.specification.operations)
        router = PathRouter(self._routes(), default=self._api(table, handlers))
        violations = self.process.violations if settings.compliance_days else None
        self._app: ASGIApp = OuterMiddleware(
            router, settings, table.allowed, self.metrics, self.process.audit, violations
        )
        if self._tracing is not None:
            self._app = TracedRequests(self._app, self._tracing)

    def _routes(self) -> Iterator[Route]:
        """The routes outside the API, each with its path and its label in metrics."""
        process, document = self.process, self.specification.document
        docs = limited_by_address(docs_page(document, TOKEN_PATH, _code_flow(process.settings)), process)
        yield Route("/healthz", "healthz", liveness_page())
        yield Route("/readyz", "readyz", readiness_page(lambda: process.parts.check_writable()))
        yield Route("/openapi.json", "docs", docs)
        yield Route("/docs", "docs", docs)
        yield Route("/docs/", "docs", docs)
        yield from self._console_routes()
        yield Route(TOKEN_PATH, "token", TokenEndpoint(process))
        scopes, fixed_url = [SCOPE_PREFIX + scope for scope in SCOPES], process.settings.public_url is not None
        metadata = metadata_page(TOKEN_PATH, scopes, fixed_url=fixed_url)
        for path in METADATA_PATHS:
            yield Route(path, "metadata", metadata)
        yield Route(KEYS_PATH, "keys", keys_page(lambda: process.read("keys", process.own_tokens.public_keys)))
        yield Route("/media/", "media", limited_by_address(_media_plane(process, self._media_threads), process))
        if process.settings.metrics and process.settings.metrics_address is None:
            build_info = BuildInfoCollector(software_version(), self.specification.api_version)
            token = process.settings.metrics_token
            page = metrics_page(self.metrics, lambda: process.parts.catalog.job_control.backlog(), build_info, token)
            yield Route("/metrics", "metrics", limited_by_address(page, process))

    def _console_routes(self) -> Iterator[Route]:
        process, settings = self.process, self.process.settings
        code_flow = _code_flow(settings)
        document = console_settings(settings, TOKEN_PATH, code_flow, self.specification.api_version)

        def allowed_origins() -> Origins:
            return Origins(media_origins(settings), [] if code_flow is None else code_flow.allowed_origins)

        async def find_caller(scope: Scope) -> Caller:
            process.audit.begin(scope, exchange_of(scope))
            return await process.in_thread(process.authenticate, scope)

        files = limited_by_address(WebPage(ConsoleFiles(document, allowed_origins).render), process)
        yield Route("/console", "console", files)
        yield Route("/console/session.json", "session", limited_by_address(session_page(find_caller), process))
        yield Route("/console/", "console", files)

    def _api(self, table: PathTable, handlers: str) -> ASGIApp:
        process, specification = self.process, self.specification
        middlewares: list[Middleware] = [
            partial(OperationRouting, table=table),
            partial(AuthenticationAndScopes, process=process, table=table),
            partial(ResourceErrorsFirst, process=process, check_resource=find_resource_check(handlers)),
            partial(
                RequestValidation,
                process=process,
                api_version=specification.api_version,
                segments=_segment_receiver(process, self._media_threads),
            ),
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
        if self._tracing is not None:
            self._tracing.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _segment_receiver(process: ServingProcess, threads: MediaThreads) -> SegmentReceiver:
    """What receives segments with their bytes, by the limits of the media plane and in its threads."""
    admission = Admission(process.request_limits, process.principal_quotas)
    means = UploadMeans(
        catalog=lambda: process.parts.catalog,
        max_bytes=process.settings.max_upload_bytes,
        stall_timeout_s=process.settings.min_rate_window,
        min_rate=process.settings.min_rate,
        admission=admission if admission.has_limits else None,
        allocating=process.principal_quotas.allocation,
    )
    return SegmentReceiver(means, threads)


def _media_plane(process: ServingProcess, threads: MediaThreads) -> ASGIApp:
    """The media plane over the stores of the process, which are opened with the first request at the latest."""

    admission = Admission(process.request_limits, process.principal_quotas)

    @functools.cache
    def plane() -> ASGIApp:
        return media_plane(
            process.parts.folders,
            process.authenticate,
            process.parts.catalog.object_uploads,
            max_upload_bytes=process.settings.max_upload_bytes,
            stall_timeout_s=process.settings.min_rate_window,
            min_rate=process.settings.min_rate,
            admission=admission if admission.has_limits else None,
            access=process.parts.catalog.media_access,
            in_thread=threads,
        )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        process.audit.begin(scope, exchange_of(scope))
        await plane()(scope, receive, send)

    return app


def _code_flow(settings: Settings) -> CodeFlow | None:
    """How people log in at /docs, by the settings."""
    issuer = settings.docs_issuer or settings.jwt_issuer
    if settings.docs_client_id is None or issuer is None:
        return None
    return CodeFlow(settings.docs_client_id, issuer, settings.docs_origins.split())


def _own_api_folder() -> Path:
    """The project's API folder: inside the package once installed, beside it in a checkout."""
    installed = Path(__file__).parent / "api"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "api"
