"""The cost of a change, depending on the number of webhooks.

Several servers that differ only in their webhooks get the same changes alternately.
"""

import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.conformance.kit.documents import flow
from tests.conformance.kit.ids import fresh
from tests.faults.server_process import ServerProcess

_SETTINGS = {"TAMS_WORKERS": "1", "TAMS_FAIL_ON_BAD_ANSWER": "false", "TAMS_WEBHOOK_TIMEOUT": "5"}
_WARM_UP = 20
_NO_LISTENER = "http://127.0.0.1:1/hook"
"""A URL at which nothing listens."""
IDLE = "3600"
"""A worker interval longer than the measurement, which excludes the cost of deliveries."""


@dataclass(frozen=True, slots=True)
class Case:
    """A case. count: of registered webhooks. matching: whether they match the events. worker_interval: in seconds."""

    name: str
    count: int
    matching: bool = True
    worker_interval: str = "0.5"


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of one change: median and 95th percentile. cpu_ms: mean CPU time of the serving process, which other
    load on the machine affects least."""

    case: Case
    median_ms: float
    p95_ms: float
    cpu_ms: float


NONE = Case("no webhook", 0)
ONE = Case("no webhook", 0)
WORKER_ACTIVE = [Case("1 dead webhook, this flow's", 1), Case("1,000 dead webhooks, this flow's", 1000)]
"""Cases with an active worker on the same machine, which attempts up to a thousand deliveries for each change."""
ONE = Case("1 webhook, another flow's", 1, matching=False)
MANY = Case("1,000 webhooks, other flows'", 1000, matching=False)


def measure(folder: Path, cases: Sequence[Case], rounds: int, settings: Mapping[str, str] | None = None) -> list[Cost]:
    """Measure the cost of setting a flow's label in each case, by `rounds` requests of each.

    settings: of the servers.
    """
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                ServerProcess(
                    folder / str(number),
                    {**_SETTINGS, **(settings or {}), "TAMS_WORKER_INTERVAL": case.worker_interval},
                )
            )
            for number, case in enumerate(cases)
        ]
        changes = [_changes(stack, server, case) for server, case in zip(servers, cases, strict=True)]
        times: list[list[float]] = [[] for _ in cases]
        cpu = [0.0 for _ in cases]
        for round_ in range(-_WARM_UP, rounds):
            if round_ == 0:
                cpu = [server.serving_cpu_s() for server in servers]
                times = [[] for _ in cases]
            for turn in random.sample(range(len(cases)), len(cases)):
                times[turn].append(next(changes[turn]))
        cpu = [(server.serving_cpu_s() - before) * 1000 / rounds for server, before in zip(servers, cpu, strict=True)]
    return [
        Cost(case, statistics.median(each), sorted(each)[int(len(each) * 0.95)], cpu_ms)
        for case, each, cpu_ms in zip(cases, times, cpu, strict=True)
    ]


def _changes(stack: ExitStack, server: ServerProcess, case: Case) -> Iterator[float]:
    """Register the webhooks, and return an iterator whose steps make a change and yield its milliseconds."""
    http = stack.enter_context(server.client(60))
    document = flow()
    path = f"/flows/{document['id']}"
    http.put(path, json=document).raise_for_status()
    for _ in range(case.count):
        flow_id = document["id"] if case.matching else fresh()
        body = {"url": _NO_LISTENER, "events": ["flows/updated"], "flow_ids": [flow_id]}
        http.post("/service/webhooks", json=body).raise_for_status()
    return _timed_changes(http, f"{path}/label")


def _timed_changes(http: httpx.Client, path: str) -> Iterator[float]:
    while True:
        label = fresh()
        began = time.perf_counter()
        http.put(path, json=label).raise_for_status()
        yield (time.perf_counter() - began) * 1000
