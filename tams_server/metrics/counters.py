"""What one process counts, for Prometheus: requests, answers that break the specification, deliveries, jobs.

Labels have few values, known beforehand: operations by operationId, never by path.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, multiprocess

from tams_server.metrics.shared_counters import are_shared

disable_created_metrics()  # type: ignore[no-untyped-call]

_METHODS = frozenset(("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"))
_REQUEST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_DELIVERY_S = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0)


class Metrics:
    """registry: what this process has counted; see `shared` for all processes of a server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "tams_http_requests",
            "Requests answered.",
            ["operation", "method", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "tams_http_request_seconds",
            "Time from a request to the end of its answer.",
            ["operation"],
            buckets=_REQUEST_S,
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "tams_http_requests_in_flight",
            "Requests being answered.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self._violations = Counter(
            "tams_answers_breaking_specification",
            "Answers that broke the specification.",
            ["operation"],
            registry=self.registry,
        )
        self._deliveries = Counter(
            "tams_deliveries",
            "Events sent to webhooks, each try counted: delivered or failed.",
            ["event_type", "outcome"],
            registry=self.registry,
        )
        self._dropped = Counter(
            "tams_deliveries_dropped",
            "Events that were not sent since their webhook had been stopped, changed or deleted.",
            registry=self.registry,
        )
        self._delivery_seconds = Histogram(
            "tams_delivery_seconds",
            "Time that receivers took for an event, or to fail.",
            buckets=_DELIVERY_S,
            registry=self.registry,
        )
        self._job_runs = Counter(
            "tams_job_runs",
            "Jobs that were done, failed (to be tried again) or given_up; of deliveries, failures of this server only.",
            ["kind", "outcome"],
            registry=self.registry,
        )
        self._requests_of: dict[tuple[str, str, int], Counter] = {}
        self._seconds_of: dict[str, Histogram] = {}

    def request_began(self) -> None:
        self._in_flight.inc()

    def request_ended(self, operation: str, method: str, status: int, seconds: float) -> None:
        """operation: the operationId, or a name for what is outside the API. status: 0 where none was sent, which
        clients see as 500."""
        self._in_flight.dec()
        method = method if method in _METHODS else "other"
        key = operation, method, status or 500
        counter = self._requests_of.get(key)
        if counter is None:
            counter = self._requests_of[key] = self._requests.labels(operation, method, str(status or 500))
        counter.inc()
        histogram = self._seconds_of.get(operation)
        if histogram is None:
            histogram = self._seconds_of[operation] = self._seconds.labels(operation)
        histogram.observe(seconds)

    def response_violated_specification(self, operation_id: str) -> None:
        self._violations.labels(operation_id).inc()

    def delivery(self, event_type: str, *, delivered: bool, seconds: float) -> None:
        self._deliveries.labels(event_type, "delivered" if delivered else "failed").inc()
        self._delivery_seconds.observe(seconds)

    def delivery_dropped(self) -> None:
        self._dropped.inc()

    def job_ran(self, kind: str, outcome: str) -> None:
        """outcome: "done", "failed" or "given_up"."""
        self._job_runs.labels(kind, outcome).inc()

    def shared(self) -> CollectorRegistry:
        """What all processes that count together have counted; without others, this one."""
        if not are_shared():
            return self.registry
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry


def process_ended(pid: int) -> None:
    """Forget what requests a process that has ended was answering; what it has counted stays."""
    if are_shared():
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
