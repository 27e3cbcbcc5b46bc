"""The metrics page, in the text format of Prometheus: counters of all processes, and the backlog of the catalogue."""

import hmac
from collections.abc import Callable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.types import Scope

from storage.catalog.job_control import Backlog
from storage.errors import Unavailable
from tams_server.deadline import DEADLINE_S, CallWithDeadline
from tams_server.errors import Unauthorized
from tams_server.http.headers import first_values
from tams_server.metrics.backlog_collector import BacklogCollector
from tams_server.metrics.build_info_collector import BuildInfoCollector
from tams_server.metrics.counters import Metrics
from tams_server.metrics.shared_counters import counters_are_complete
from tams_server.pages.page import PageContent, WebPage


def metrics_page(
    metrics: Metrics,
    read_backlog: Callable[[], Backlog],
    build_info: BuildInfoCollector,
    token: str | None = None,
) -> WebPage:
    """The page for /metrics, whose text each process makes at most once a second.

    read_backlog: may block; called at most once a second. token: that requests must bear; None if anyone may read it.
    """
    collected_on_request = CollectorRegistry()
    collected_on_request.register(BacklogCollector(read_backlog))
    collected_on_request.register(build_info)

    def text() -> bytes:
        if not counters_are_complete():
            raise Unavailable(
                "counters are missing: their folder was removed, or its disk was full; restart the server"
            )
        return generate_latest(metrics.shared()) + generate_latest(collected_on_request)

    latest = CallWithDeadline(text, DEADLINE_S + 1)  # the backlog has a deadline of its own

    async def render(scope: Scope) -> PageContent:
        if token is not None:
            _check_token(scope, token)
        return PageContent(await latest.wait(), CONTENT_TYPE_PLAIN_0_0_4)

    return WebPage(render)


def _check_token(scope: Scope, token: str) -> None:
    """Raises Unauthorized unless the request bears the token."""
    scheme, _, given = first_values(scope["headers"]).get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer" or not hmac.compare_digest(given.strip(), token.encode()):
        raise Unauthorized(
            "the metrics require the bearer token of TAMS_METRICS_TOKEN",
            headers={"WWW-Authenticate": 'Bearer realm="metrics"'},
        )
