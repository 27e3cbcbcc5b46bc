"""Server and worker are killed at random moments under a receiver that fails in every way: each change that took place
is told, in order, and nothing else is. TAMS_TEST_KILLS: how many kills (200 for a long run)."""

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
from tests.faults.history import EVENTS, Author, History, distinct, told
from tests.faults.receivers import (
    Behaviour,
    Received,
    Receiver,
    answer,
    drip_body,
    drip_head,
    half_a_body,
    half_a_head,
    hang,
    huge,
    redirect,
    reset,
    say,
)
from tests.faults.running import Running

KILLS = int(os.environ.get("TAMS_TEST_KILLS", "6"))
AUTHORS = 3
SETTINGS = {
    "TAMS_WEBHOOK_TIMEOUT": "0.5",
    "TAMS_JOB_LEASE": "1",
    "TAMS_WORKER_INTERVAL": "0.05",
    "TAMS_OBJECT_GRACE": "0",
}
_DRAINED_S = 60 + KILLS

_FAILURES = [
    hang(),
    answer(500),
    answer(429, {"Retry-After": "1"}),
    reset(),
    say(b""),
    say(b"no HTTP at all\r\n\r\n"),
    half_a_head(),
    half_a_body(),
    redirect("http://127.0.0.1:1/elsewhere"),
    drip_head(),
    drip_body(),
    drip_body(503),
    huge(3_000_000, 500),
    answer(200, close=True),
]


def _moody() -> Callable[[Received], Behaviour]:
    """One in twenty deliveries goes wrong, each time in another way."""
    failures = itertools.cycle(_FAILURES)
    return lambda _: next(failures) if random.random() < 0.05 else answer()


def _register(http: httpx.Client, url: str) -> str:
    made = http.post("/service/webhooks", json={"url": url, "events": EVENTS}).raise_for_status()
    path: str = f"/service/webhooks/{made.json()['id']}"
    return path


def _kill_something(server: Running, wild: Receiver, way: str) -> None:
    match way:
        case "everything":
            server.kill()
            server.start()
        case "background":
            os.kill(server.background(), signal.SIGKILL)
        case "answering":
            os.kill(random.choice(server.answering()), signal.SIGKILL)
        case "refuse":
            wild.refuse()
            os.kill(server.background(), signal.SIGKILL)
            time.sleep(random.uniform(0, 1))
            wild.accept()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.timeout(300 + 20 * KILLS)
def test_every_change_is_told_over_kills(tmp_path: Path) -> None:
    began = time.monotonic()
    ways = [way for way, _ in zip(itertools.cycle(("everything", "background", "answering", "refuse")), range(KILLS))]
    random.shuffle(ways)
    with (
        Receiver(_moody()) as wild,
        Receiver() as calm,
        Running(tmp_path, SETTINGS) as server,
        server.client() as http_of_authors,
    ):
        hooks = [_register(http_of_authors, receiver.url) for receiver in (wild, calm)]
        authors = [Author(http_of_authors, pause_s=0.15) for _ in range(AUTHORS)]
        for author in authors:
            author.start()
        for way in ways:
            time.sleep(random.uniform(0.1, 3))
            _kill_something(server, wild, way)
        for author in authors:
            author.end()
            assert not author.wrong
            assert not author.is_alive()
        seen_wild = len(distinct(wild.received))
        killed_for = time.monotonic() - began
        wild.behave([answer()])

        expected: History = {subject: each for author in authors for subject, each in author.history.items()}
        with server.client() as http:
            last = flow(label="the last one")
            http.put(f"/flows/{last['id']}", json=last).raise_for_status()
            expected[last["source_id"]] = [("sources/created", None)]
            expected[last["id"]] = [("flows/created", None)]
            for receiver in (wild, calm):
                wait_until(lambda of=receiver: last["id"] in told(of.received[-50:]), "the last event", _DRAINED_S)
            for author in authors:
                author.check_store(http)
            for hook in hooks:
                assert http.get(hook).json()["status"] == "started"
    for receiver in (wild, calm):
        came = told(receiver.received)
        assert came.keys() == expected.keys()
        for subject, events in expected.items():
            assert came[subject] == events, subject
    events = sum(map(len, expected.values()))
    for name, receiver in (("wild", wild), ("calm", calm)):
        again = len(receiver.received) - len(distinct(receiver.received))
        print(f"{name}: {events} events, {len(receiver.received)} requests, {again} of them again")
    print(
        f"{KILLS} kills in {killed_for:.0f} s, {time.monotonic() - began:.0f} s in all; {seen_wild} had come by then;"
        f" acknowledged {sum(a.acknowledged for a in authors)}, refused {sum(a.refused for a in authors)},"
        f" without an answer {sum(a.lost for a in authors)}"
    )
