"""A port for metrics alone, in a process that serves no HTTP otherwise.

In the background worker of a server these are the metrics of all of its processes; in a worker on its own, of itself.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server
from prometheus_client.registry import Collector

from storage.catalog.job_control import Backlog
from tams_server.metrics.backlog_collector import BacklogCollector
from tams_server.metrics.counters import Metrics

Address = tuple[str, int]
"""Host and port."""


@contextmanager
def metrics_port(
    address: Address | None,
    metrics: Metrics,
    read_backlog: Callable[[], Backlog],
    *others: Collector,
) -> Iterator[None]:
    """Serve metrics at an address while the block runs. Does nothing if it is None. others: what to serve as well.

    Raises OSError if the port cannot be opened.
    """
    if address is None:
        yield
        return
    host, port = address
    registry = metrics.shared()
    collectors = (BacklogCollector(read_backlog), *others)
    for collector in collectors:
        registry.register(collector)
    server, thread = start_http_server(port, host, registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        for collector in collectors:
            registry.unregister(collector)
