"""Limits that several processes count together, and that a killed process leaves behind it."""

import base64
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.faults.server_process import TOKEN, ServerProcess

PROCESSES = 3
AT_A_TIME = 4
ALLOCATIONS = 10
FREE_LOGINS = 10
RACES = PROCESSES - 1
"""Of several processes that count in the same microsecond, only one may be counted."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    settings = {
        "TAMS_WORKERS": str(PROCESSES),
        "TAMS_CONCURRENT_REQUESTS": str(AT_A_TIME),
        "TAMS_QUOTA_ALLOCATIONS": str(ALLOCATIONS),
        "TAMS_QUOTA_WINDOW": "86400",
        "TAMS_BOOTSTRAP_BASIC": "ann:right-password",
    }
    with ServerProcess(tmp_path_factory.mktemp("limits"), settings) as server:
        yield server


def get(server: ServerProcess, **headers: str) -> int:
    """The status of a request on a connection of its own, which any process may accept."""
    headers = headers or {"Authorization": f"Bearer {TOKEN}"}
    return httpx.get(f"{server.url}/service", headers=headers, timeout=30).status_code


def begin(server: ServerProcess) -> socket.socket:
    """Begin a request whose body never comes."""
    url = urlsplit(server.url)
    connection = socket.create_connection((url.hostname, url.port))
    head = f"POST /service HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: Bearer {TOKEN}\r\n"
    connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 10\r\n\r\n".encode())
    return connection


def many(send: Callable[[int], int], requests: int) -> list[int]:
    """The statuses of requests, a few at a time."""
    with ThreadPoolExecutor(3) as threads:
        return list(threads.map(send, range(requests)))


def begin_all(server: ServerProcess) -> list[socket.socket]:
    """Begin as many requests as may be in progress. Requests of before may still count for a moment."""
    begun: list[socket.socket] = []

    def are_in_progress() -> bool:
        for connection in _answered(begun):
            begun.remove(connection)
            connection.close()
        begun.extend(begin(server) for _ in range(AT_A_TIME - len(begun)))
        return status_of(server) == 429 and not _answered(begun)

    wait_until(are_in_progress, "the requests to be in progress", timeout_s=20)
    return begun


def _answered(connections: list[socket.socket]) -> list[socket.socket]:
    """Those whose request has been rejected, or whose process has been killed."""
    return select.select(connections, [], [], 0)[0]


def test_requests_at_a_time_are_counted_over_all_processes(server: ServerProcess) -> None:
    begun = begin_all(server)
    assert {get(server) for _ in range(20)} == {429}
    for connection in begun:
        connection.close()
    wait_until(lambda: get(server) == 200, "the requests to end", timeout_s=20)


def test_requests_of_a_killed_process_do_not_count_any_more(server: ServerProcess) -> None:
    for pid in server.serving_pids():
        begun = begin_all(server)
        os.kill(pid, signal.SIGKILL)
        for connection in begun:
            connection.close()
    # If a single one that has ended still counted, the last of these would be rejected for ever.
    for connection in begin_all(server):
        connection.close()
    wait_until(lambda: status_of(server) == 200, "the requests to end", timeout_s=20)


def status_of(server: ServerProcess) -> int:
    """The status of a request; 0 if its process is killed meanwhile."""
    try:
        return get(server)
    except httpx.TransportError:
        return 0


def test_quotas_hold_for_all_processes_together(server: ServerProcess) -> None:
    document = flow()
    url = f"{server.url}/flows/{document['id']}"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.put(url, json=document, headers=headers, timeout=30).status_code == 201

    def allocate(_number: int) -> int:
        return httpx.post(f"{url}/storage", json={"limit": 1}, headers=headers, timeout=30).status_code

    statuses = many(allocate, 4 * ALLOCATIONS)
    assert set(statuses) == {201, 429}
    assert ALLOCATIONS <= statuses.count(201) <= ALLOCATIONS + RACES


def test_wrong_passwords_are_counted_over_all_processes(server: ServerProcess) -> None:
    def log_in(number: int) -> int:
        credential = base64.b64encode(f"ann:wrong {number}".encode()).decode()
        return get(server, Authorization=f"Basic {credential}")

    started = time.monotonic()
    statuses = many(log_in, 3 * FREE_LOGINS)
    assert set(statuses) == {401, 429}
    # After each pause of a second or more, one more may be tried.
    pauses = time.monotonic() - started
    assert FREE_LOGINS <= statuses.count(401) <= FREE_LOGINS + RACES + pauses
