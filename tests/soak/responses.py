"""Record the responses of all clients: how long they took, and those that no client may get."""

import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.server_process import TOKEN, ServerProcess


@dataclass
class Responses:
    """Safe to share between threads. statuses: number of responses by status. errors: 5xx that are not allowed."""

    statuses: Counter[int] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    _times: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, client: str, request: str, status: int, took_s: float, *, retry_after: bool) -> None:
        """client: what kind of client sent the request. request: described for a report."""
        with self._lock:
            self.statuses[status] += 1
            self._times[client].append((time.monotonic(), took_s))
            if status >= 500 and not (status == 503 and retry_after):
                self.errors.append(f"{request}: {status}{' without Retry-After' if status == 503 else ''}")

    def summary(self) -> list[str]:
        """Response times by client, of the first and the last third of the run."""
        lines = []
        for client, times in sorted(self._times.items()):
            begin, end = times[0][0], times[-1][0]
            third = (end - begin) / 3
            first = [took for at, took in times if at <= begin + third]
            last = [took for at, took in times if at >= end - third]
            lines.append(f"{client}: {len(times)} responses; first third {_shown(first)}, last third {_shown(last)}")
        return lines


class _Transport(httpx.HTTPTransport):
    def __init__(self, responses: Responses, client: str, **options: Any) -> None:
        super().__init__(**options)
        self._responses = responses
        self._client = client

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        began = time.monotonic()
        response = super().handle_request(request)
        self._responses.add(
            self._client,
            f"{request.method} {request.url.path}",
            response.status_code,
            time.monotonic() - began,
            retry_after="Retry-After" in response.headers,
        )
        return response


def recorded_client(server: ServerProcess, responses: Responses, client: str) -> httpx.Client:
    """An HTTP client whose responses are recorded."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=60, transport=_Transport(responses, client))


def _shown(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    median, p95 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.95))
    return f"median {median:.0f} ms, p95 {p95:.0f} ms"
