"""The metrics of a server on an inner port, out of reach of those who use its API."""

import os
import signal
from pathlib import Path

import httpx

from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.server import free_port
from tests.faults.server_process import ServerProcess


def test_metrics_of_all_processes_are_served_at_an_address_of_their_own(tmp_path: Path) -> None:
    port = free_port()

    def scrape() -> str:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/metrics").text
        except httpx.TransportError:
            return ""

    settings = {"TAMS_WORKERS": "2", "TAMS_METRICS_LISTEN": f"127.0.0.1:{port}"}
    with ServerProcess(tmp_path, settings) as server, server.client() as client:
        assert client.get("/metrics").status_code == 404
        assert client.get("/service").status_code == 200
        wait_until(scrape, "the metrics", 30)
        text = scrape()
        assert 'tams_http_requests_total{method="GET",operation="GET_service",status="200"} 1.0' in text
        assert "tams_build_info" in text
        assert "tams_catalogue_up 1.0" in text
        os.kill(server.background_pid(), signal.SIGKILL)
        wait_until(lambda: not scrape(), "the end of the worker", 30)
        wait_until(scrape, "the metrics of the next worker", 30)
