"""Rates of requests over a whole server, whichever process they reach."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.conformance.kit.server import own_server

RATE = 5
REQUESTS = 60


def test_all_processes_share_the_rate(tmp_path: Path) -> None:
    with own_server(tmp_path, {"TAMS_WORKERS": "2", "TAMS_RATE_LIMIT": str(RATE)}) as subject:

        def get(_: int) -> httpx.Response:
            # A new connection each time, so that both processes receive some.
            return httpx.get(f"{subject.url}/service", headers=subject.credential, timeout=30)

        started = time.monotonic()
        with ThreadPoolExecutor(8) as threads:
            responses = list(threads.map(get, range(REQUESTS)))
        permitted = [response for response in responses if response.status_code == 200]
        assert {response.status_code for response in responses} == {200, 429}
        # Requests in the same microsecond of two processes may not be counted.
        assert len(permitted) <= RATE * (time.monotonic() - started + 1) + 3
        rejected = next(response for response in responses if response.status_code == 429)
        assert "RateLimit" in rejected.headers["Access-Control-Expose-Headers"]
        time.sleep(int(rejected.headers["Retry-After"]))
        assert get(0).status_code == 200
