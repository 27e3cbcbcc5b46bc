"""The metrics page, in the text format of Prometheus: counters of all processes, and the backlog of the catalogue."""

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.types import Scope

from storage.catalog.job_control import Backlog
from tams_server.metrics.backlog_collector import BacklogCollector
from tams_server.metrics.build_info_collector import BuildInfoCollector
from tams_server.metrics.counters import Metrics
from tams_server.pages.page import PageContent, WebPage


def metrics_page(metrics: Metrics, read_backlog: Callable[[], Backlog], build_info: BuildInfoCollector) -> WebPage:
    """The page for /metrics. read_backlog: may block; called at most once a second."""
    collected_on_request = CollectorRegistry()
    collected_on_request.register(BacklogCollector(read_backlog))
    collected_on_request.register(build_info)

    def text() -> bytes:
        return generate_latest(metrics.shared()) + generate_latest(collected_on_request)

    async def render(_scope: Scope) -> PageContent:
        return PageContent(await asyncio.to_thread(text), CONTENT_TYPE_PLAIN_0_0_4)

    return WebPage(render)
