"""Prometheus counters of one process: requests, invalid responses, webhook deliveries and jobs.

Every label has a small, fixed set of values: requests are labelled with their operationId, never with their path.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, multiprocess

from tams_server.metrics.shared_counters import counters_are_shared, end_counting

disable_created_metrics()  # type: ignore[no-untyped-call]

_METHODS = frozenset(("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"))
_REQUEST_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_DELIVERY_BUCKETS_S = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0)


class Metrics:
    """The counters of this process, in `registry`. `shared` gives those of all processes of a server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "tams_http_requests",
            "HTTP requests completed.",
            ["operation", "method", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "tams_http_request_seconds",
            "Time from receiving a request to the end of its response.",
            ["operation"],
            buckets=_REQUEST_BUCKETS_S,
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "tams_http_requests_in_flight",
            "HTTP requests in progress.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self._invalid_responses = Counter(
            "tams_answers_breaking_specification",
            "Responses that do not conform to the API specification.",
            ["operation"],
            registry=self.registry,
        )
        self._errors = Counter(
            "tams_errors", "Errors sent as responses, by their code.", ["code"], registry=self.registry
        )
        self._deliveries = Counter(
            "tams_deliveries",
            "Attempts to deliver an event to a webhook, by outcome: delivered or failed.",
            ["event_type", "outcome"],
            registry=self.registry,
        )
        self._dropped = Counter(
            "tams_deliveries_dropped",
            "Events not delivered because their webhook was disabled, changed or deleted.",
            registry=self.registry,
        )
        self._set_aside = Counter(
            "tams_deliveries_set_aside",
            "Events, or parts of them, not delivered because the receiver kept rejecting them.",
            registry=self.registry,
        )
        self._delivery_seconds = Histogram(
            "tams_delivery_seconds",
            "Duration of an attempt to deliver an event, successful or not.",
            buckets=_DELIVERY_BUCKETS_S,
            registry=self.registry,
        )
        self._job_runs = Counter(
            "tams_job_runs",
            "Job runs by outcome: done, failed (will be retried) or given_up. Deliveries count here only when this "
            "server is at fault.",
            ["kind", "outcome"],
            registry=self.registry,
        )
        self._audit_failures = Counter(
            "tams_audit_failures", "Lines of the audit log that could not be written.", registry=self.registry
        )
        self._requests_by_labels: dict[tuple[str, str, int], Counter] = {}
        self._seconds_by_operation: dict[str, Histogram] = {}

    def start_request(self) -> None:
        self._in_flight.inc()

    def end_request(self, operation: str, method: str, status: int, seconds: float) -> None:
        """Count a completed request.

        operation: the operationId, or a fixed name for paths outside the API.
        status: 0 if no response was sent, which counts as 500 because that is what the client receives.
        """
        self._in_flight.dec()
        method = method if method in _METHODS else "other"
        key = operation, method, status or 500
        counter = self._requests_by_labels.get(key)
        if counter is None:
            counter = self._requests_by_labels[key] = self._requests.labels(operation, method, str(status or 500))
        counter.inc()
        histogram = self._seconds_by_operation.get(operation)
        if histogram is None:
            histogram = self._seconds_by_operation[operation] = self._seconds.labels(operation)
        histogram.observe(seconds)

    def count_invalid_response(self, operation_id: str) -> None:
        self._invalid_responses.labels(operation_id).inc()

    def count_error(self, code: str) -> None:
        """code: one of those that are declared (storage.error_codes)."""
        self._errors.labels(code).inc()

    def count_audit_failure(self) -> None:
        self._audit_failures.inc()

    def count_delivery_attempt(self, event_type: str, *, delivered: bool, seconds: float) -> None:
        self._deliveries.labels(event_type, "delivered" if delivered else "failed").inc()
        self._delivery_seconds.observe(seconds)

    def count_dropped_delivery(self) -> None:
        self._dropped.inc()

    def count_delivery_set_aside(self) -> None:
        self._set_aside.inc()

    def count_job_run(self, kind: str, outcome: str) -> None:
        """outcome: "done", "postponed", "failed" or "given_up"."""
        self._job_runs.labels(kind, outcome).inc()

    def shared(self) -> CollectorRegistry:
        """Return the counters of all processes that share them, or those of this process if it shares none."""
        if not counters_are_shared():
            return self.registry
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry


def forget_process(pid: int) -> None:
    """Drop the in-flight requests of a process that has ended; its other counts are kept."""
    if counters_are_shared():
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
        end_counting(pid)
