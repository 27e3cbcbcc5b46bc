"""Wrong passwords by the dozen: nobody else waits for them, and they do not get a core each."""

import base64
import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.faults.server_process import TOKEN, ServerProcess

FLOOD_S = 3.0
PER_S = 50


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    settings = {"TAMS_BOOTSTRAP_BASIC": "ann:right", "TAMS_WORKERS": "2", "TAMS_LOG_LEVEL": "WARNING"}
    with ServerProcess(tmp_path_factory.mktemp("logins"), settings) as server:
        yield server


class Attackers:
    """Send 50 wrong passwords a second, each with a user and, of the loopback network, an address of its own."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self.statuses: list[int] = []
        self.without_retry_after = 0

    def run(self) -> None:
        threads = []
        for number in range(int(FLOOD_S * PER_S)):
            threads.append(threading.Thread(target=self._send, args=(number,)))
            threads[-1].start()
            time.sleep(1 / PER_S)
        for thread in threads:
            thread.join()

    def _send(self, number: int) -> None:
        source = (f"127.0.{number // 200 + 1}.{number % 200 + 1}", 0)
        client = http.client.HTTPConnection(self._host, self._port, timeout=60, source_address=source)
        client.request("GET", "/service", headers={"Authorization": basic(f"user {number}", "wrong")})
        response = client.getresponse()
        response.read()
        self.statuses.append(response.status)
        self.without_retry_after += response.status == 429 and response.getheader("Retry-After") is None
        client.close()


def test_wrong_passwords_do_not_delay_others(server: ServerProcess) -> None:
    attackers = Attackers(server.url)
    flood = threading.Thread(target=attackers.run)
    cpu = server.serving_cpu_s()
    taken: list[float] = []
    with server.client() as client:
        client.get("/service").raise_for_status()
        flood.start()
        started = time.monotonic()
        while flood.is_alive():
            before = time.monotonic()
            client.get("/service").raise_for_status()
            taken.append(time.monotonic() - before)
            time.sleep(0.005)
        flooded_s = time.monotonic() - started
    p95 = sorted(taken)[int(len(taken) * 0.95)]
    assert p95 < 0.15
    assert server.serving_cpu_s() - cpu < 1.2 * flooded_s
    assert set(attackers.statuses) <= {401, 429}
    assert attackers.statuses.count(429) > 0
    assert attackers.without_retry_after == 0


def test_one_address_is_stopped_after_a_number_of_failures(server: ServerProcess) -> None:
    with httpx.Client(base_url=server.url) as client:
        statuses = []
        for number in range(80):
            response = client.get("/service", headers={"Authorization": basic(f"guess {number}", "x")})
            statuses.append(response.status_code)
        assert statuses[0] == 401
        assert statuses[-1] == 429
        assert int(response.headers["Retry-After"]) >= 1
        assert response.headers["Content-Type"] == "application/problem+json"
        # Tokens are not guessed, and cost nothing to check.
        assert client.get("/service", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert client.get("/service", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_nothing_is_hashed_where_there_are_no_users(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, {"TAMS_WORKERS": "1"}) as server, httpx.Client(base_url=server.url) as client:
        client.get("/service", headers={"Authorization": basic("nobody", "x")})
        cpu = server.serving_cpu_s()
        for number in range(100):
            response = client.get("/service", headers={"Authorization": basic(f"nobody {number}", "x")})
            assert response.status_code == 401
        assert server.serving_cpu_s() - cpu < 1.5, "each took as long as hashing a password"
