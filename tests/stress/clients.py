"""Clients that work on a server all at once, and repeat what it was too busy for."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import httpx

from tests.conformance.kit.server import Subject

_PATIENCE_S: Final = 120
"""How long a request may be turned away with 503."""


class BusyClient:
    """A client of one thread. statuses: how often each was received."""

    def __init__(self, subject: Subject) -> None:
        self._client = httpx.Client(base_url=subject.url, headers=subject.credential, timeout=120)
        self.statuses = Counter[int]()

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request until the response is not 503. Fails on any other 5xx, and on 503 without Retry-After."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            response = self._client.request(method, path, **options)
            self.statuses[response.status_code] += 1
            if response.status_code < 500:
                return response
            assert response.status_code == 503, f"{method} {path}: {response.status_code} {response.text[:300]}"
            assert "Retry-After" in response.headers, f"{method} {path}: 503 without Retry-After"
            assert time.monotonic() < deadline, f"{method} {path}: 503 for {_PATIENCE_S} s: {response.text[:300]}"
            time.sleep(0.1)

    def expect(self, status: int, method: str, path: str, **options: Any) -> httpx.Response:
        response = self.send(method, path, **options)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text[:300]}"
        return response

    def pages(self, path: str, limit: int = 1000) -> list[Any]:
        """All items of a listing."""
        items: list[Any] = []
        query: dict[str, Any] = {"limit": limit}
        while True:
            response = self.expect(200, "GET", path, params=query)
            items += response.json()
            key = response.headers.get("X-Paging-NextKey")
            if key is None:
                return items
            query = {"limit": limit, "page": key}

    def close(self) -> None:
        self._client.close()


def run_at_once(subject: Subject, tasks: Sequence[Callable[[BusyClient], None]]) -> Counter[int]:
    """Run every task in a thread with a client of its own. Returns the statuses; raises what the first task raised."""
    clients = [BusyClient(subject) for _ in tasks]
    errors: list[BaseException] = []

    def run(task: Callable[[BusyClient], None], client: BusyClient) -> None:
        try:
            task(client)
        except BaseException as error:
            errors.append(error)
        finally:
            client.close()

    threads = [threading.Thread(target=run, args=each) for each in zip(tasks, clients, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return sum((client.statuses for client in clients), Counter[int]())
