"""F11: the metrics of a whole server: several processes that serve requests, and a background worker."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.server import Subject, free_port, own_server

REQUESTS = 60


def total(url: str, name: str, **labels: str) -> float:
    """Return the sum of the samples with these labels, from whichever process responds."""
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics", timeout=30).text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def children(subject: Subject) -> list[int]:
    assert subject.process is not None
    pid = subject.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_counters_cover_all_processes_of_a_server(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with own_server(tmp_path, {"TAMS_WORKERS": "2", "TMPDIR": str(temporary)}) as subject:
        url = subject.url

        def get_flows(_: int) -> int:
            # A new connection each time, so that both processes receive some.
            return httpx.get(f"{url}/flows", headers=subject.credential, timeout=30).status_code

        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(get_flows, range(REQUESTS))) == {200}
        labels = {"operation": "GET_flows", "method": "GET", "status": "200"}

        def count() -> list[float]:
            return [total(url, "tams_http_requests_total", **labels) for _ in range(8)]

        # A request is counted after its response has been sent, and each process keeps its text for a second.
        wait_until(lambda: count() == [REQUESTS] * 8, "all requests to be counted")
        assert total(url, "tams_http_request_seconds_count", operation="GET_flows") == REQUESTS

        hook = {"url": f"http://127.0.0.1:{free_port()}/", "events": ["flows/created"]}
        httpx.post(f"{url}/service/webhooks", json=hook, headers=subject.credential).raise_for_status()
        document = flow()
        httpx.put(f"{url}/flows/{document['id']}", json=document, headers=subject.credential).raise_for_status()
        failed = {"event_type": "flows/created", "outcome": "failed"}
        wait_until(lambda: total(url, "tams_deliveries_total", **failed) >= 1, "the failed delivery to be counted")
        wait_until(lambda: total(url, "tams_jobs", kind="delivery") == 1, "its job to be shown")

        for pid in children(subject):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: _serves(subject), "new processes to serve")
        assert total(url, "tams_http_requests_total", **labels) >= REQUESTS
        wait_until(
            lambda: total(url, "tams_http_requests_in_flight") == 1,
            "the requests of the killed processes to be forgotten",
        )
        assert len(list(temporary.glob("tams-metrics-*"))) == 1
    assert list(temporary.iterdir()) == []


def _serves(subject: Subject) -> bool:
    try:
        return len(children(subject)) == 3 and httpx.get(f"{subject.url}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
