"""A port for the metrics of a worker process, which serves no HTTP otherwise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server

from storage.catalog.job_control import Backlog
from tams_server.metrics.backlog_collector import BacklogCollector
from tams_server.metrics.counters import Metrics


@contextmanager
def metrics_port(port: int | None, host: str, metrics: Metrics, read_backlog: Callable[[], Backlog]) -> Iterator[None]:
    """Serve the metrics of this process at `host` and `port` while the block runs. Does nothing if port is None.

    Raises OSError if the port cannot be opened.
    """
    if port is None:
        yield
        return
    backlog = BacklogCollector(read_backlog)
    metrics.registry.register(backlog)
    server, thread = start_http_server(port, host, metrics.registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        metrics.registry.unregister(backlog)
