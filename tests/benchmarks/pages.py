"""The cost of a page of segments in a short flow and in a very long one."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.benchmarks.seeding import fill
from tests.conformance.kit.documents import flow
from tests.conformance.kit.server import own_server
from tests.servers.stores import Stores

PAGE = 30


@dataclass(frozen=True, slots=True)
class Measurement:
    """Median milliseconds of one kind of request in the short and in the long flow."""

    name: str
    short_ms: float
    long_ms: float

    @property
    def ratio(self) -> float:
        return self.long_ms / self.short_ms


def measure(
    folder: Path, stores: Stores, short: int, long: int, rounds: int, say: Callable[[str], None]
) -> list[Measurement]:
    """Fill two flows with `short` and `long` segments, and request pages of 30 alternately, `rounds` times each.

    folder: for the server's data. stores: for its catalogue and media. say: called with lines of progress.
    """
    settings = {"TAMS_WORKERS": "1", "TAMS_FAIL_ON_BAD_ANSWER": "false", **stores.settings(folder)}
    url = settings.get("TAMS_DATABASE_URL") or f"sqlite:///{folder / 'data' / 'catalog.db'}"
    with own_server(folder, settings) as subject:
        headers = {"Authorization": f"Bearer {subject.token}"}
        with httpx.Client(base_url=subject.url, headers=headers, timeout=30) as http:
            flows = {count: _make_flow(http) for count in (short, long)}
            for count, flow_id in flows.items():
                fill(url, flow_id, count, lambda n, of=count: say(f"  {n:,} of {of:,} segments"))  # type: ignore[misc]
            cases = {count: _cases(http, flow_id, count) for count, flow_id in flows.items()}
            return [
                Measurement(name, *(_median_ms(http, [(flows[n], cases[n][name]) for n in (short, long)], rounds)))
                for name in cases[short]
            ]


def _make_flow(http: httpx.Client) -> str:
    document = flow()
    http.put(f"/flows/{document['id']}", json=document).raise_for_status()
    http.post(f"/flows/{document['id']}/storage", json={"limit": 1}).raise_for_status()
    flow_id: str = document["id"]
    return flow_id


def _cases(http: httpx.Client, flow_id: str, count: int) -> dict[str, Mapping[str, str]]:
    """Query parameters by name of the case. Each returns a full page of 30."""
    middle = count // 2
    near_end = http.get(
        f"/flows/{flow_id}/segments", params={"timerange": f"[{2 * (count - 2 * PAGE)}:0_", "limit": str(PAGE)}
    )
    limit = {"limit": str(PAGE)}
    return {
        "first page": limit,
        "last page": {**limit, "page": near_end.headers["X-Paging-NextKey"]},
        "a timerange in the middle": {**limit, "timerange": f"[{2 * middle}:0_{2 * (middle + PAGE)}:0)"},
        "newest first": {**limit, "reverse_order": "true"},
    }


def _median_ms(http: httpx.Client, requests: list[tuple[str, Mapping[str, str]]], rounds: int) -> list[float]:
    times: list[list[float]] = [[] for _ in requests]
    for _ in range(rounds):
        for taken, (flow_id, params) in zip(times, requests, strict=True):
            began = time.perf_counter()
            response = http.get(f"/flows/{flow_id}/segments", params=params)
            taken.append((time.perf_counter() - began) * 1000)
            assert len(response.json()) == PAGE, response.text
    return [statistics.median(each) for each in times]
