"""Metrics of the background work that waits in the catalogue: jobs, and events not yet queued for webhooks."""

import time
from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from storage.catalog.clock import SECOND
from storage.catalog.job_control import Backlog
from storage.errors import TamsError
from tams_server.deadline import CallWithDeadline


class BacklogCollector(Collector):
    """Read the backlog when Prometheus scrapes, at most once a second.

    If the catalogue cannot be read before the deadline, `tams_catalogue_up` is 0 and the backlog metrics are absent.
    """

    def __init__(self, read_backlog: Callable[[], Backlog]) -> None:
        self._backlog = CallWithDeadline(read_backlog)

    def collect(self) -> Iterator[Metric]:
        try:
            backlog = self._backlog.get()
        except TamsError:
            backlog = None
        yield GaugeMetricFamily("tams_catalogue_up", "Whether the catalogue could be read.", backlog is not None)
        if backlog is not None:
            yield from _families(backlog, time.time())


def _families(backlog: Backlog, now_s: float) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("tams_jobs", "Background jobs.", labels=["kind", "state"])
    age = GaugeMetricFamily("tams_jobs_oldest_age_seconds", "Age of the oldest job; 0 if none.", labels=["kind"])
    for kind, counts in backlog.jobs.items():
        jobs.add_metric([kind, "waiting"], counts.waiting)
        jobs.add_metric([kind, "running"], counts.running)
        jobs.add_metric([kind, "failed"], counts.failed)
        age.add_metric([kind], _age_s(counts.oldest, now_s))
    yield jobs
    yield age
    help_ = "Events not yet queued for webhooks, counted up to 10,000."
    yield GaugeMetricFamily("tams_events_pending", help_, backlog.events)
    help_ = "Age of the oldest event not yet queued for webhooks; 0 if none."
    yield GaugeMetricFamily("tams_events_pending_oldest_age_seconds", help_, _age_s(backlog.oldest_event, now_s))


def _age_s(moment: int | None, now_s: float) -> float:
    """Seconds since `moment` (microseconds since 1970)."""
    return 0.0 if moment is None else max(0.0, now_s - moment / SECOND)
