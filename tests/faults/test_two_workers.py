"""Several workers on one queue: no two send one webhook's events at the same time, and a dead one is soon replaced."""

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
from tests.faults.history import DELIVERY_ID, distinct
from tests.faults.receivers import Behaviour, Exchange, Received, Receiver, answer
from tests.faults.running import Running, worker_beside

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


class _Holders(threading.Thread):
    """Watches who holds the jobs of webhooks. seen: the ids of processes that ever did."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self._engine = open_engine(f"sqlite:///{folder / 'data' / 'catalog.db'}")
        self._ending = threading.Event()
        self.seen: set[int] = set()

    def run(self) -> None:
        while not self._ending.wait(0.02):
            with self._engine.read() as tx:
                rows = tx.select("jobs", equals(kind="delivery"), columns=["worker"])
            self.seen |= {_pid(row["worker"]) for row in rows if row["worker"]}

    def of(self, webhook_id: str) -> int:
        """The process that sends to this webhook now, or 0."""
        with self._engine.read() as tx:
            row = tx.get("jobs", kind="delivery", key=webhook_id)
        return _pid(row["worker"]) if row and row["worker"] else 0

    def __enter__(self) -> "_Holders":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self.join()
        self._engine.close()


def _pid(worker: str) -> int:
    return int(worker.rpartition(":")[2])


class _Holding:
    """Answers after HELD_S, and knows when: until then a request is under way."""

    def __init__(self) -> None:
        self._answered: dict[int, float] = {}

    def __call__(self, request: Received) -> Behaviour:
        def behaviour(exchange: Exchange) -> bool:
            exchange.closing.wait(HELD_S)
            self._answered[request.number] = time.monotonic()
            return answer()(exchange)

        return behaviour

    def assert_never_two_at_once(self, received: list[Received]) -> None:
        """No request came while another to the same webhook, or of the same delivery, was under way."""
        for key in (lambda request: request.target, lambda request: request.headers[DELIVERY_ID]):
            for request, later in pairwise(sorted(received, key=lambda each: (key(each), each.began))):
                if key(request) == key(later):
                    assert self._answered[request.number] <= later.began, f"two at once: {request} and {later}"


def test_two_workers_never_send_to_one_webhook_at_the_same_time(tmp_path: Path) -> None:
    labels = [f"change {n}" for n in range(15)]
    with ExitStack() as stack:
        holding = _Holding()
        receiver = stack.enter_context(Receiver(holding))
        server = stack.enter_context(Running(tmp_path, SETTINGS))
        for _ in range(2):
            stack.enter_context(worker_beside(server))
        http = stack.enter_context(server.client())
        holders = stack.enter_context(_Holders(tmp_path))
        targets = [f"/hook/{n}" for n in range(8)]
        _webhooks(http, [f"http://127.0.0.1:{receiver.port}{target}" for target in targets])
        path = _new_flow(http)

        def changed(names: list[str]) -> list[Received]:
            _change(http, path, names)
            return receiver.wait_for(lambda came: names[-1] in _last_labels(came, targets), 30)

        def shared() -> bool:
            changed([f"{len(receiver.received)}"])
            return len(holders.seen) >= 2

        wait_until(shared, "work for two workers at least", 60)
        came = changed(labels)
        holding.assert_never_two_at_once(came)
        assert len(distinct(came)) == len(came), "nothing is sent twice where nobody dies"
        for target in targets:
            assert _labels([each for each in came if each.target == target])[-len(labels) :] == labels


def _last_labels(came: list[Received], targets: list[str]) -> set[str]:
    """What every webhook was told last, if that is the same."""
    last = {each.target: each.json["event"]["flow"]["label"] for each in came}
    return set(last.values()) if last.keys() == set(targets) and len(set(last.values())) == 1 else set()


@pytest.mark.timeout(120)
def test_work_of_a_killed_worker_waits_no_longer_than_its_lease(tmp_path: Path) -> None:
    delays, labels = [], [f"change {n}" for n in range(12)]
    with ExitStack() as stack:
        holding = _Holding()
        receiver = stack.enter_context(Receiver(holding))
        server = stack.enter_context(Running(tmp_path, SETTINGS))
        for _ in range(2):
            stack.enter_context(worker_beside(server))
        http = stack.enter_context(server.client())
        holders = stack.enter_context(_Holders(tmp_path))
        [webhook_id] = _webhooks(http, [receiver.url])
        path = _new_flow(http)
        for _ in range(KILLS):
            before = len(receiver.received)
            _change(http, path, labels)
            receiver.wait_for(lambda came, n=before: len(came) >= n + 5, 20)
            os.kill(holders.of(webhook_id), signal.SIGKILL)
            killed = time.monotonic()
            wanted = len(distinct(receiver.received)) + 1
            receiver.wait_for(lambda came, n=wanted: len(distinct(came)) >= n, 30)
            came = receiver.wait_for(lambda came: _labels(came)[-1] == labels[-1], 30)
            delays.append(max(later.at - earlier.at for earlier, later in pairwise(came) if later.at > killed))
        holding.assert_never_two_at_once(receiver.received)
        assert _labels(receiver.received) == labels * KILLS
        again = len(receiver.received) - len(distinct(receiver.received))
        print(f"delays of {', '.join(f'{delay:.2f}' for delay in delays)} s by a lease of {LEASE_S} s; {again} again")
        assert max(delays) < LEASE_S + 1.5  # for looking for work, and a busy machine


@pytest.mark.timeout(120)
def test_a_worker_that_was_stopped_for_longer_than_its_lease_sends_nothing_more(tmp_path: Path) -> None:
    labels = [f"change {n}" for n in range(12)]
    with ExitStack() as stack:
        holding = _Holding()
        receiver = stack.enter_context(Receiver(holding))
        server = stack.enter_context(Running(tmp_path, SETTINGS))
        stack.enter_context(worker_beside(server))
        http = stack.enter_context(server.client())
        holders = stack.enter_context(_Holders(tmp_path))
        [webhook_id] = _webhooks(http, [receiver.url])
        _change(http, _new_flow(http), labels)
        receiver.wait_for(lambda came: len(came) >= 5, 20)
        stopped = holders.of(webhook_id)
        os.kill(stopped, signal.SIGSTOP)
        try:
            wait_until(lambda: holders.of(webhook_id) not in (0, stopped), "another worker that goes on", 10 * LEASE_S)
        finally:
            os.kill(stopped, signal.SIGCONT)
        came = receiver.wait_for(lambda came: _labels(came)[-1:] == labels[-1:], 30)
        wait_until(lambda: holders.of(webhook_id) == 0, "the end of the job", 10)
        assert _labels(came) == labels
        holding.assert_never_two_at_once(receiver.received)
