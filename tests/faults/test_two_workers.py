"""Several workers: no two deliver to the same webhook at once, and the jobs of a dead worker are taken over."""

import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from storage.tables import open_engine
from storage.tables.conditions import equals
from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.faults.behaviours import Behaviour, Exchange, Received, respond
from tests.faults.history import DELIVERY_ID, distinct
from tests.faults.receivers import Receiver
from tests.faults.server_process import ServerProcess, extra_worker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

HELD_S = 0.05
LEASE_S = 2
KILLS = 2
SETTINGS = {"TAMS_WEBHOOK_TIMEOUT": "1", "TAMS_JOB_LEASE": str(LEASE_S), "TAMS_WORKER_INTERVAL": "0.05"}


def _webhooks(http: httpx.Client, urls: list[str]) -> list[str]:
    bodies = [{"url": url, "events": ["flows/updated"]} for url in urls]
    return [http.post("/service/webhooks", json=body).raise_for_status().json()["id"] for body in bodies]


def _new_flow(http: httpx.Client) -> str:
    document = flow()
    http.put(f"/flows/{document['id']}", json=document).raise_for_status()
    return f"/flows/{document['id']}"


def _change(http: httpx.Client, path: str, labels: list[str]) -> None:
    for label in labels:
        http.put(f"{path}/label", json=label).raise_for_status()


def _labels(received: list[Received]) -> list[str]:
    return [request.json["event"]["flow"]["label"] for request in distinct(received)]


class _JobHolders(threading.Thread):
    """Watches which processes hold delivery jobs. seen: the ids of all processes that ever held one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self._engine = open_engine(f"sqlite:///{folder / 'data' / 'catalog.db'}")
        self._stopping = threading.Event()
        self.seen: set[int] = set()

    def run(self) -> None:
        while not self._stopping.wait(0.02):
            with self._engine.read() as tx:
                rows = tx.select("jobs", equals(kind="delivery"), columns=["worker"])
            self.seen |= {_pid(row["worker"]) for row in rows if row["worker"]}

    def pid_of(self, webhook_id: str) -> int:
        """Return the id of the process that holds the job of this webhook, or 0."""
        with self._engine.read() as tx:
            row = tx.get("jobs", kind="delivery", key=webhook_id)
        return _pid(row["worker"]) if row and row["worker"] else 0

    def __enter__(self) -> "_JobHolders":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.join()
        self._engine.close()


def _pid(worker: str) -> int:
    return int(worker.rpartition(":")[2])


class _SlowReceiver:
    """Responds after HELD_S, and records when; until then the request is in progress."""

    def __init__(self) -> None:
        self._responded_at: dict[int, float] = {}

    def __call__(self, request: Received) -> Behaviour:
        def behaviour(exchange: Exchange) -> bool:
            exchange.closing.wait(HELD_S)
            self._responded_at[request.number] = time.monotonic()
            return respond()(exchange)

        return behaviour

    def assert_no_overlap(self, received: list[Received]) -> None:
        """Assert that no two requests to the same webhook, or of the same delivery, overlapped."""
        for key in (lambda request: request.target, lambda request: request.headers[DELIVERY_ID]):
            for request, later in pairwise(sorted(received, key=lambda each: (key(each), each.started_at))):
                if key(request) == key(later):
                    assert self._responded_at[request.number] <= later.started_at, f"two at once: {request} and {later}"


def test_workers_never_deliver_to_one_webhook_concurrently(tmp_path: Path) -> None:
    labels = [f"change {n}" for n in range(15)]
    with ExitStack() as stack:
        slow = _SlowReceiver()
        receiver = stack.enter_context(Receiver(slow))
        server = stack.enter_context(ServerProcess(tmp_path, SETTINGS))
        for _ in range(2):
            stack.enter_context(extra_worker(server))
        http = stack.enter_context(server.client())
        holders = stack.enter_context(_JobHolders(tmp_path))
        targets = [f"/hook/{n}" for n in range(8)]
        _webhooks(http, [f"http://127.0.0.1:{receiver.port}{target}" for target in targets])
        path = _new_flow(http)

        def changed(names: list[str]) -> list[Received]:
            _change(http, path, names)
            return receiver.wait_for(lambda received: names[-1] in _last_labels(received, targets), 30)

        def shared() -> bool:
            changed([f"{len(receiver.received)}"])
            return len(holders.seen) >= 2

        wait_until(shared, "jobs held by at least two workers", 60)
        received = changed(labels)
        slow.assert_no_overlap(received)
        assert len(distinct(received)) == len(received), "nothing is sent twice unless a worker dies"
        for target in targets:
            assert _labels([each for each in received if each.target == target])[-len(labels) :] == labels


def _last_labels(received: list[Received], targets: list[str]) -> set[str]:
    """Return the last label delivered to all webhooks, if it is the same for all."""
    last = {each.target: each.json["event"]["flow"]["label"] for each in received}
    return set(last.values()) if last.keys() == set(targets) and len(set(last.values())) == 1 else set()


@pytest.mark.timeout(120)
def test_jobs_of_a_killed_worker_are_taken_over_when_the_lease_expires(tmp_path: Path) -> None:
    delays, labels = [], [f"change {n}" for n in range(12)]
    with ExitStack() as stack:
        slow = _SlowReceiver()
        receiver = stack.enter_context(Receiver(slow))
        server = stack.enter_context(ServerProcess(tmp_path, SETTINGS))
        for _ in range(2):
            stack.enter_context(extra_worker(server))
        http = stack.enter_context(server.client())
        holders = stack.enter_context(_JobHolders(tmp_path))
        [webhook_id] = _webhooks(http, [receiver.url])
        path = _new_flow(http)
        for _ in range(KILLS):
            before = len(receiver.received)
            _change(http, path, labels)
            receiver.wait_for(lambda received, n=before: len(received) >= n + 5, 20)
            os.kill(holders.pid_of(webhook_id), signal.SIGKILL)
            killed = time.monotonic()
            wanted = len(distinct(receiver.received)) + 1
            receiver.wait_for(lambda received, n=wanted: len(distinct(received)) >= n, 30)
            received = receiver.wait_for(lambda received: _labels(received)[-1] == labels[-1], 30)
            arrivals = [request.received_at for request in received]
            delays.append(max(later - earlier for earlier, later in pairwise(arrivals) if later > killed))
        slow.assert_no_overlap(receiver.received)
        assert _labels(receiver.received) == labels * KILLS
        again = len(receiver.received) - len(distinct(receiver.received))
        print(
            f"delays of {', '.join(f'{delay:.2f}' for delay in delays)} s by a lease of {LEASE_S} s; {again} repeated"
        )
        assert max(delays) < LEASE_S + 1.5  # for polling, and for a busy machine


@pytest.mark.timeout(120)
def test_a_worker_suspended_beyond_its_lease_sends_nothing_more(tmp_path: Path) -> None:
    labels = [f"change {n}" for n in range(12)]
    with ExitStack() as stack:
        slow = _SlowReceiver()
        receiver = stack.enter_context(Receiver(slow))
        server = stack.enter_context(ServerProcess(tmp_path, SETTINGS))
        stack.enter_context(extra_worker(server))
        http = stack.enter_context(server.client())
        holders = stack.enter_context(_JobHolders(tmp_path))
        [webhook_id] = _webhooks(http, [receiver.url])
        _change(http, _new_flow(http), labels)
        receiver.wait_for(lambda received: len(received) >= 5, 20)
        stopped = holders.pid_of(webhook_id)
        os.kill(stopped, signal.SIGSTOP)
        try:
            wait_until(
                lambda: holders.pid_of(webhook_id) not in (0, stopped), "another worker to take over", 10 * LEASE_S
            )
        finally:
            os.kill(stopped, signal.SIGCONT)
        received = receiver.wait_for(lambda received: _labels(received)[-1:] == labels[-1:], 30)
        wait_until(lambda: holders.pid_of(webhook_id) == 0, "the end of the job", 10)
        assert _labels(received) == labels
        slow.assert_no_overlap(receiver.received)
