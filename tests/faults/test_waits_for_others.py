"""Waits for other servers hold none of the threads that answer everyone else, and their number is bounded."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tams_server.http.serving_process import TRANSFERS
from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.faults.behaviours import hang
from tests.faults.receivers import Receiver
from tests.faults.server_process import ServerProcess

COPIES = 20
BLOCK_S = 1.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    settings = {"TAMS_WORKERS": "1", "TAMS_THREADS": "4", "TAMS_WEBHOOK_ALLOW": "127.0.0.0/8"}
    with ServerProcess(tmp_path_factory.mktemp("waits"), settings) as server:
        yield server


def register_elsewhere(client: httpx.Client, url: str, count: int) -> list[str]:
    """Register objects whose bytes are at `url`, and return their ids."""
    document = flow()
    client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    ids = [f"elsewhere-{document['id']}-{number}" for number in range(count)]
    segments = [
        {"object_id": id_, "timerange": f"[{n}:0_{n + 1}:0)", "get_urls": [{"url": url, "label": "there"}]}
        for n, id_ in enumerate(ids)
    ]
    client.post(f"/flows/{document['id']}/segments", json=segments).raise_for_status()
    return ids


def test_copies_from_a_slow_source_delay_nobody(server: ServerProcess) -> None:
    with server.client() as client, ThreadPoolExecutor(COPIES) as copiers, Receiver([hang()] * COPIES) as source:
        backend = client.get("/service/storage-backends").json()[0]["id"]
        responses = [
            copiers.submit(client.post, f"/objects/{id_}/instances", json={"storage_id": backend})
            for id_ in register_elsewhere(client, source.url, COPIES)
        ]
        wait_until(
            lambda: sum(response.done() for response in responses) == COPIES - TRANSFERS, "the others to be rejected"
        )
        rejected = [response.result() for response in responses if response.done()]
        assert {response.status_code for response in rejected} == {503}
        assert all(response.headers["Retry-After"] for response in rejected)
        for _ in range(10):
            document = flow()
            started = time.monotonic()
            client.put(f"/flows/{document['id']}", json=document).raise_for_status()
            client.get(f"/flows/{document['id']}").raise_for_status()
            assert time.monotonic() - started < BLOCK_S
        source.close()
        left = [response.result() for response in responses]
        assert sorted({response.status_code for response in left}) == [400, 503]
