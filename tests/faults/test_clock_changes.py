"""The clock of a running server is set forward and back, by up to a day, while clients change the store.

tests/unit/catalog/test_clock_steps.py looks at each part alone.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.polling import wait_until
from tests.faults.receivers import Receiver
from tests.faults.server_process import ServerProcess
from tests.servers.clock import ServerClock
from tests.servers.stores import Stores
from tests.soak.author import Author
from tests.soak.contents import count_rows
from tests.soak.ending import compare_and_delete, second_backend, subscribe
from tests.soak.findings import Findings
from tests.soak.subject import new_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
STEPS_S = (MINUTE_S, -MINUTE_S, HOUR_S, -HOUR_S, DAY_S, -DAY_S, 0)
AUTHORS = 2
CHANGES_EACH = 4
"""Changes that each author makes after a step, at least."""
PASSES_S = 1.5
"""Time in which a background worker looks for expired objects many times."""
CONTENT = b"uploaded before the clock was set"
_TIMEOUT_S = 60


@dataclass
class Running:
    server: ServerProcess
    clock: ServerClock
    http: httpx.Client


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with new_server(tmp_path, Stores()) as (server, clock), server, server.client() as http:
        yield Running(server, clock, http)


@pytest.mark.timeout(300)
def test_steps_of_the_clock_lose_and_reorder_nothing(running: Running) -> None:
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver())
        hook = subscribe(running.http, receiver.url)
        second = second_backend(running.http)
        authors = [Author(running.server.client(), 0.05, second, urls_may_expire=True) for _ in range(AUTHORS)]
        for author in authors:
            author.start()
        for step_s in STEPS_S:
            running.clock.set(step_s)
            _wait_for_changes(authors)
            _wait_for_events(receiver)
        for author in authors:
            author.stop()
        findings = Findings()
        events = compare_and_delete(running.server, authors, [receiver], [hook], findings)
        for author in authors:
            findings.add(author.findings)
            assert not author.books.unanswered
    assert not findings, str(findings)
    wait_until(lambda: _rows_left(running.server) == [], "the end of all deletions", _TIMEOUT_S)
    assert events > AUTHORS * CHANGES_EACH * len(STEPS_S)


def test_an_upload_survives_a_step_forward_that_is_taken_back(running: Running) -> None:
    path, item = _allocated(running.http)
    _upload(item).raise_for_status()
    running.clock.set(DAY_S)
    _let_workers_pass(running)
    running.clock.set(0)
    _let_workers_pass(running)
    segment = {"object_id": item["object_id"], "timerange": "[0:0_1:0)"}
    response = running.http.post(f"{path}/segments", json=segment)
    assert response.status_code == 201, response.text
    [listed] = running.http.get(f"{path}/segments", params={"presigned": "true"}).raise_for_status().json()
    assert httpx.get(listed["get_urls"][0]["url"]).content == CONTENT


def test_presigned_urls_expire_by_the_clock(running: Running) -> None:
    """As docs/storage.md says: they hold the time at which they expire, and work again once the clock is set back."""
    _, item = _allocated(running.http)
    running.clock.set(HOUR_S)
    response = _upload(item)
    assert response.status_code == 403
    assert "expired" in response.text
    running.clock.set(-HOUR_S)
    _upload(item).raise_for_status()
    running.clock.set(0)
    _upload(item).raise_for_status()


def test_a_deletion_goes_on_after_a_step_back(running: Running) -> None:
    """Its lease and its next step are times that lie an hour ahead."""
    path, _ = _allocated(running.http)
    running.clock.set(HOUR_S)
    for second in range(60):
        url = {"url": "https://media.example.com/1", "label": "elsewhere"}
        segment = {"object_id": f"object {second}", "timerange": f"[{second}:0_{second + 1}:0)", "get_urls": [url]}
        running.http.post(f"{path}/segments", json=segment).raise_for_status()
    request = running.http.delete(path).raise_for_status().headers["Location"]
    running.clock.set(0)

    def is_done() -> bool:
        return bool(running.http.get(request).raise_for_status().json()["status"] == "done")

    wait_until(is_done, "the end of the deletion", _TIMEOUT_S)


def _allocated(http: httpx.Client) -> tuple[str, Json]:
    """The path of a new flow, and an object that was allocated for it."""
    document = flow()
    path = f"/flows/{document['id']}"
    http.put(path, json=document).raise_for_status()
    items: list[Json] = http.post(f"{path}/storage", json={"limit": 1}).raise_for_status().json()["media_objects"]
    return path, items[0]


def _upload(item: Json) -> httpx.Response:
    put_url = item["put_url"]
    return httpx.put(put_url["url"], content=CONTENT, headers={"Content-Type": put_url["content-type"]})


def _let_workers_pass(running: Running) -> None:
    """Have the background worker begin and end a job, so that it has looked for all kinds of work, and then a while."""
    with Receiver() as receiver:
        hook = subscribe(running.http, receiver.url)
        _allocated(running.http)
        receiver.wait_for(lambda received: bool(received), _TIMEOUT_S)
        running.http.delete(hook).raise_for_status()
    time.sleep(PASSES_S)


def _rows_left(server: ServerProcess) -> list[str]:
    """Tables with rows, but for those of objects that no segment uses: they are kept for a while after a step."""
    counts = count_rows(server)
    return [name for name in ("flows", "sources", "segments", "object_refs", "objects in use", "jobs") if counts[name]]


def _wait_for_changes(authors: list[Author]) -> None:
    goals = [author.books.acknowledged + CHANGES_EACH for author in authors]

    def have_changed() -> bool:
        return all(a.books.acknowledged >= goal or not a.is_alive() for a, goal in zip(authors, goals, strict=True))

    wait_until(have_changed, "changes", _TIMEOUT_S)


def _wait_for_events(receiver: Receiver) -> None:
    count = len(receiver.received)
    receiver.wait_for(lambda received: len(received) > count, _TIMEOUT_S)
