"""/metrics, in the text format of Prometheus: what the processes have counted, and what waits in the catalogue."""

import asyncio
import functools
import importlib.metadata
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import Receive, Scope, Send

from storage.catalog.clock import SECOND
from storage.catalog.job_control import Backlog
from storage.errors import TamsError
from tams_server.deadline import CallWithDeadline
from tams_server.errors import MethodNotAllowed
from tams_server.http.runtime import Runtime
from tams_server.metrics.counters import Metrics

PATH = "/metrics"


class MetricsPage:
    """As an ASGI application."""

    def __init__(self, metrics: Metrics, runtime: Runtime, api_version: str) -> None:
        self._metrics = metrics
        self._waiting = CollectorRegistry()
        self._waiting.register(Waiting(lambda: runtime.parts.catalog.job_control.backlog()))
        self._waiting.register(_Build(api_version))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed("only GET and HEAD are possible here", headers={"Allow": "GET, HEAD"})
        body = await asyncio.to_thread(self._text)
        headers = [
            (b"content-type", CONTENT_TYPE_PLAIN_0_0_4.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _text(self) -> bytes:
        return generate_latest(self._metrics.shared()) + generate_latest(self._waiting)


@contextmanager
def metrics_port(port: int | None, host: str, metrics: Metrics, backlog: Callable[[], Backlog]) -> Iterator[None]:
    """Serve the metrics of this process on a port of its own, while the block runs; nothing where port is None.

    Raises OSError where the port cannot be had.
    """
    if port is None:
        yield
        return
    waiting = Waiting(backlog)
    metrics.registry.register(waiting)
    server, thread = start_http_server(port, host, metrics.registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        metrics.registry.unregister(waiting)


class Waiting(Collector):
    """Jobs and events that wait, read when asked for, but not more often than once a second.

    Where the catalogue cannot be read in time there are no such numbers: none is made up.
    """

    def __init__(self, read: Callable[[], Backlog]) -> None:
        self._reading = CallWithDeadline(read)

    def collect(self) -> Iterator[Metric]:
        try:
            backlog = self._reading.get()
        except TamsError:
            backlog = None
        yield GaugeMetricFamily("tams_catalogue_up", "Whether the catalogue could be read.", backlog is not None)
        if backlog is not None:
            yield from _families(backlog, time.time())


def _families(backlog: Backlog, now_s: float) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("tams_jobs", "Background jobs.", labels=["kind", "state"])
    age = GaugeMetricFamily("tams_jobs_oldest_age_seconds", "Age of the oldest job; 0 for none.", labels=["kind"])
    for kind, counts in backlog.jobs.items():
        jobs.add_metric([kind, "waiting"], counts.waiting)
        jobs.add_metric([kind, "running"], counts.running)
        jobs.add_metric([kind, "failed"], counts.failed)
        age.add_metric([kind], _age_s(counts.oldest, now_s))
    yield jobs
    yield age
    help_ = "Events not yet queued for webhooks, counted up to 10,000."
    yield GaugeMetricFamily("tams_events_pending", help_, backlog.events)
    help_ = "Age of the first event not yet queued for webhooks; 0 for none."
    yield GaugeMetricFamily("tams_events_pending_oldest_age_seconds", help_, _age_s(backlog.oldest_event, now_s))


def _age_s(moment: int | None, now_s: float) -> float:
    return 0.0 if moment is None else max(0.0, now_s - moment / SECOND)


class _Build(Collector):
    """What is running."""

    def __init__(self, api_version: str) -> None:
        self._api_version = api_version

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("tams_build_info", "What is running.", labels=["version", "api_version", "python"])
        family.add_metric([_version(), self._api_version, platform.python_version()], 1)
        yield family


@functools.cache
def _version() -> str:
    try:
        return importlib.metadata.version("tams-server")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
