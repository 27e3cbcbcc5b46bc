"""The beginning and the end of a run: webhooks for all events; then compare everything, delete it, and wait."""

from collections.abc import Sequence

import httpx

from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.faults.history import EVENTS, History, delivered_events
from tests.faults.receivers import Receiver
from tests.faults.server_process import ServerProcess
from tests.servers.clock import ServerClock
from tests.soak.author import Author
from tests.soak.checking import check_events
from tests.soak.contents import check_output
from tests.soak.findings import Findings
from tests.soak.leftovers import Leftovers, wait_until_empty

_LONGEST_PAUSE_S = 330
"""A webhook whose receiver has failed several times in a row is sent nothing for up to five minutes."""


def subscribe(http: httpx.Client, url: str) -> str:
    """Create a webhook for all events, and return its path."""
    made = http.post("/service/webhooks", json={"url": url, "events": EVENTS}).raise_for_status()
    path: str = f"/service/webhooks/{made.json()['id']}"
    return path


def second_backend(http: httpx.Client) -> str:
    """The id of the storage backend that is not the default."""
    found = http.get("/service/storage-backends").raise_for_status().json()
    return next((each["id"] for each in found if not each.get("default_storage")), "")


def finish(
    server: ServerProcess,
    clock: ServerClock,
    writers: Sequence[Author],
    receivers: Sequence[Receiver],
    hooks: Sequence[str],
    findings: Findings,
    *,
    others: bool = False,
) -> tuple[int, Leftovers]:
    """Compare the store and the events with the books of the authors, which have stopped, and delete everything.

    receivers: of the events of webhooks `hooks`; they must receive everything now. others: other clients made changes
    too. Returns the number of events, and
    what is left for some time after everything was deleted.
    """
    events = compare_and_delete(server, writers, receivers, hooks, findings, others=others)
    left = wait_until_empty(server, clock, findings)
    if wrong := check_output(server):
        findings.wrong.append(wrong)
    return events, left


def compare_and_delete(
    server: ServerProcess,
    writers: Sequence[Author],
    receivers: Sequence[Receiver],
    hooks: Sequence[str],
    findings: Findings,
    *,
    others: bool = False,
) -> int:
    """As `finish`, without waiting until everything is gone. Returns the number of events."""
    expected: History = {}
    with server.client(60) as http:
        for writer in writers:
            writer.check_everything()
            writer.delete_everything()
            writer.check_everything()
            expected |= writer.books.history
        expected |= _mark_the_end(http, receivers)
        for hook in hooks:
            status = http.get(hook).raise_for_status().json()["status"]
            if status != "started":
                findings.wrong.append(f"a webhook has the status {status}")
            http.delete(hook).raise_for_status()
    for receiver in receivers:
        findings.add(check_events(expected, receiver.received, others=others))
    return sum(map(len, expected.values()))


def _mark_the_end(http: httpx.Client, receivers: Sequence[Receiver]) -> History:
    """Cause some last events, and wait until they are delivered, as long as deliveries arrive at all."""
    last = flow()
    http.put(f"/flows/{last['id']}", json=last).raise_for_status()
    http.delete(f"/flows/{last['id']}").raise_for_status()
    for receiver in receivers:
        count = -1
        while count != (count := len(receiver.received)):
            if _arrives(receiver, last["id"]):
                break
    return {
        last["source_id"]: [("sources/created", None), ("sources/deleted", None)],
        last["id"]: [("flows/created", None), ("flows/deleted", None)],
    }


def _arrives(receiver: Receiver, flow_id: str) -> bool:
    def has_arrived() -> bool:
        return ("flows/deleted", None) in delivered_events(receiver.received[-50:]).get(flow_id, ())

    try:
        return wait_until(has_arrived, "the last event", _LONGEST_PAUSE_S)
    except AssertionError:
        return False
