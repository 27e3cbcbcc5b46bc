"""Kill server and worker at random moments, with a receiver that fails in every way.

Each change that took place must be delivered, in order, and nothing else. TAMS_TEST_KILLS: number of kills (for a long
run: 200).
"""

import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.faults.behaviours import (
    Behaviour,
    Received,
    drip_body,
    drip_head,
    hang,
    incomplete_body,
    incomplete_head,
    large_body,
    redirect,
    reset,
    respond,
    send_and_close,
)
from tests.faults.history import EVENTS, Author, History, delivered_events, distinct
from tests.faults.receivers import Receiver
from tests.faults.server_process import ServerProcess

KILLS = int(os.environ.get("TAMS_TEST_KILLS", "6"))
AUTHORS = 3
SETTINGS = {
    "TAMS_WEBHOOK_TIMEOUT": "0.5",
    "TAMS_JOB_LEASE": "1",
    "TAMS_WORKER_INTERVAL": "0.05",
    "TAMS_OBJECT_GRACE": "0",
}
_DRAIN_TIMEOUT_S = 60 + KILLS

_FAILURES = [
    hang(),
    respond(500),
    respond(429, {"Retry-After": "1"}),
    reset(),
    send_and_close(b""),
    send_and_close(b"no HTTP at all\r\n\r\n"),
    incomplete_head(),
    incomplete_body(),
    redirect("http://127.0.0.1:1/elsewhere"),
    drip_head(),
    drip_body(),
    drip_body(503),
    large_body(3_000_000, 500),
    respond(200, close=True),
]


def _unreliable() -> Callable[[Received], Behaviour]:
    """Fail one in twenty deliveries, each time in a different way."""
    failures = itertools.cycle(_FAILURES)
    return lambda _: next(failures) if random.random() < 0.05 else respond()


def _register(http: httpx.Client, url: str) -> str:
    made = http.post("/service/webhooks", json={"url": url, "events": EVENTS}).raise_for_status()
    path: str = f"/service/webhooks/{made.json()['id']}"
    return path


def _kill(server: ServerProcess, unreliable: Receiver, kind: str) -> None:
    match kind:
        case "everything":
            server.kill()
            server.start()
        case "background":
            os.kill(server.background_pid(), signal.SIGKILL)
        case "serving":
            os.kill(random.choice(server.serving_pids()), signal.SIGKILL)
        case "refuse":
            unreliable.refuse()
            os.kill(server.background_pid(), signal.SIGKILL)
            time.sleep(random.uniform(0, 1))
            unreliable.accept()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.timeout(300 + 20 * KILLS)
def test_every_change_is_delivered_despite_kills(tmp_path: Path) -> None:
    began = time.monotonic()
    kinds = [kind for kind, _ in zip(itertools.cycle(("everything", "background", "serving", "refuse")), range(KILLS))]
    random.shuffle(kinds)
    with (
        Receiver(_unreliable()) as unreliable,
        Receiver() as reliable,
        ServerProcess(tmp_path, SETTINGS) as server,
        server.client() as author_http,
    ):
        hooks = [_register(author_http, receiver.url) for receiver in (unreliable, reliable)]
        authors = [Author(author_http, pause_s=0.15) for _ in range(AUTHORS)]
        for author in authors:
            author.start()
        for kind in kinds:
            time.sleep(random.uniform(0.1, 3))
            _kill(server, unreliable, kind)
        for author in authors:
            author.stop()
            assert not author.errors
            assert not author.is_alive()
        delivered_before = len(distinct(unreliable.received))
        killed_for = time.monotonic() - began
        unreliable.behave([respond()])

        expected: History = {subject: each for author in authors for subject, each in author.history.items()}
        with server.client() as http:
            last = flow(label="the last one")
            http.put(f"/flows/{last['id']}", json=last).raise_for_status()
            expected[last["source_id"]] = [("sources/created", None)]
            expected[last["id"]] = [("flows/created", None)]
            for receiver in (unreliable, reliable):
                wait_until(
                    lambda of=receiver: last["id"] in delivered_events(of.received[-50:]),
                    "the last event",
                    _DRAIN_TIMEOUT_S,
                )
            for author in authors:
                author.check_store(http)
            for hook in hooks:
                assert http.get(hook).json()["status"] == "started"
    for receiver in (unreliable, reliable):
        delivered = delivered_events(receiver.received)
        assert delivered.keys() == expected.keys()
        for subject, events in expected.items():
            assert delivered[subject] == events, subject
    total = sum(map(len, expected.values()))
    for name, receiver in (("unreliable", unreliable), ("reliable", reliable)):
        again = len(receiver.received) - len(distinct(receiver.received))
        print(f"{name}: {total} events, {len(receiver.received)} requests, {again} of them repeated")
    print(
        f"{KILLS} kills in {killed_for:.0f} s, {time.monotonic() - began:.0f} s in all;"
        f" {delivered_before} deliveries during the kills;"
        f" acknowledged {sum(a.acknowledged for a in authors)}, rejected {sum(a.rejected for a in authors)},"
        f" without a response {sum(a.unanswered for a in authors)}"
    )
