"""The spans of one process, sent to a collector in the background by OTLP over HTTP.

OpenTelemetry's packages (the extra `traces`) are imported only here and in `sampling`, and only if the settings name a
collector.
"""

import contextlib
import functools
import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from storage.waiting import WouldWait, WouldWaitForOthers
from tams_server.settings import Settings, SettingsError
from tams_server.version import software_version

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

Attributes = Mapping[str, str | int]

_EXPORT_TIMEOUT_S = 5
_STOP_TIMEOUT_MS = 2000
"""How long a process that stops tries to send its last spans."""


class Tracing:
    """Makes spans. May be created before a fork: what it sends with is made by the first span of each process.

    Spans that the collector does not take in time are dropped, so that no request waits for it.
    """

    def __init__(self, endpoint: str, share: float, *, trusts_clients: bool) -> None:
        """endpoint: URL of the collector, without `/v1/traces`. share: of the requests and jobs to trace.

        trusts_clients: the `traceparent` of a request decides whether it is traced.
        """
        self._endpoint = endpoint.rstrip("/")
        self._share = share
        self._trusts_clients = trusts_clients

    @contextmanager
    def request(self, name: str, headers: Mapping[bytes, bytes]) -> Iterator["Span"]:
        """A span for a request that this server handles: in the trace that its `traceparent` names (W3C), if any.

        name: until more is known of the request. headers: the first value of each, by lower-case name.
        """
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
        with self._tracer.start_as_current_span(
            name, extract(carrier), SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ) as span:
            yield span

    @contextmanager
    def job(self, name: str, attributes: Attributes) -> Iterator[None]:
        """A span for work that no request waits for."""
        with self._tracer.start_as_current_span(name, attributes=dict(attributes), record_exception=False):
            yield

    @contextmanager
    def part(self, name: str, attributes: Attributes) -> Iterator[None]:
        """A span for a part of a request or a job. Outside of these there is none.

        It is dropped if the work is about to wait (storage.waiting), since it then begins again elsewhere.
        """
        from opentelemetry.trace import get_current_span

        if not get_current_span().is_recording():
            yield
            return
        with self._tracer.start_as_current_span(
            name, attributes=dict(attributes), record_exception=False, end_on_exit=False
        ) as span:
            try:
                yield
            except (WouldWait, WouldWaitForOthers):
                raise
            except BaseException:
                span.end()
                raise
            span.end()

    def stop(self) -> None:
        """Send what is left, as far as that takes no longer than two seconds."""
        provider = self.__dict__.get("_provider")
        if provider is not None:
            provider.force_flush(_STOP_TIMEOUT_MS)

    @functools.cached_property
    def _tracer(self) -> "Tracer":
        return self._provider.get_tracer("tams_server")

    @functools.cached_property
    def _provider(self) -> "TracerProvider":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from tams_server.tracing.sampling import sampler

        resource = Resource.create({"service.name": "tams-server", "service.version": software_version()})
        # Its own end, at the exit of the interpreter, would wait for the collector for half a minute.
        provider = TracerProvider(
            sampler(self._share, trusts_clients=self._trusts_clients), resource, shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(f"{self._endpoint}/v1/traces", timeout=_EXPORT_TIMEOUT_S)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        return provider


def read_tracing(settings: Settings) -> Tracing | None:
    """Return what the settings say of traces; None for none. Raises SettingsError if a package is missing."""
    if settings.otlp_endpoint is None:
        return None
    for package in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        with contextlib.suppress(ModuleNotFoundError):
            if importlib.util.find_spec(package) is not None:
                continue
        raise SettingsError(
            ["TAMS_OTLP_ENDPOINT: traces need the packages of the extra: pip install tams-server[traces]"]
        )
    return Tracing(settings.otlp_endpoint, settings.trace_share, trusts_clients=settings.trust_traceparent)


def job_span(tracing: Tracing | None, name: str, attributes: Attributes) -> AbstractContextManager[None]:
    """The span of a job, if there is tracing at all."""
    return contextlib.nullcontext() if tracing is None else tracing.job(name, attributes)
