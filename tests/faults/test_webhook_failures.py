"""Receivers that fail in every way: each event is still delivered, in order, without delaying other receivers."""

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.polling import wait_until
from tests.faults.behaviours import (
    Behaviour,
    Received,
    chunked,
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
from tests.faults.history import DELIVERY_ID, distinct
from tests.faults.receivers import Receiver
from tests.faults.server_process import ServerProcess
from tests.faults.unreachable import Listener, refusing_url, unaccepting_url

LABELS = [f"change {n}" for n in range(4)]
FAST = {"TAMS_WEBHOOK_TIMEOUT": "0.5", "TAMS_JOB_LEASE": "2", "TAMS_WORKER_INTERVAL": "0.05"}
TIMEOUT_S = 45

FAILURES: dict[str, Behaviour] = {
    "hangs": hang(),
    "responds 500": respond(500),
    "responds 503 with Retry-After": respond(503, {"Retry-After": "1"}),
    "responds 404": respond(404),
    "closes without a response": send_and_close(b""),
    "resets the connection": reset(),
    "closes in mid-head": incomplete_head(),
    "does not speak HTTP": send_and_close(b"220 mail.example.com ESMTP\r\n"),
    "sends a slow head": drip_head(),
    "fails with a slow body": drip_body(500),
    "fails with a large body": large_body(3_000_000, 500),
}
"""Responses that make the server retry the delivery."""

SUCCESSES: dict[str, Behaviour] = {
    "closes in mid-body": incomplete_body(),
    "sends a slow body": drip_body(),
    "ends a chunked body early": chunked(b"well", complete=False),
    "responds 204": respond(204),
    "closes each connection": respond(close=True),
}
"""Successful responses, whatever happens to the body."""


def _fail_first_attempt(failure: Behaviour) -> Callable[[Received], Behaviour]:
    """Fail the first attempt of each delivery."""
    seen: set[str] = set()

    def behave(request: Received) -> Behaviour:
        delivery = request.headers[DELIVERY_ID]
        if delivery in seen:
            return respond()
        seen.add(delivery)
        return failure

    return behave


def _webhook(http: httpx.Client, url: str, *events: str) -> str:
    body = {"url": url, "events": list(events or ("flows/updated",))}
    webhook_id: str = http.post("/service/webhooks", json=body).raise_for_status().json()["id"]
    return webhook_id


def _new_flow(http: httpx.Client) -> str:
    document = flow()
    http.put(f"/flows/{document['id']}", json=document).raise_for_status()
    return f"/flows/{document['id']}"


def _labels(received: list[Received]) -> list[str]:
    return [request.json["event"]["flow"]["label"] for request in received]


def test_events_are_delivered_in_order_to_failing_receivers(tmp_path: Path) -> None:
    with ExitStack() as stack:
        elsewhere = stack.enter_context(Listener())
        behaviours = {
            **{name: _fail_first_attempt(failure) for name, failure in FAILURES.items()},
            "redirects": _fail_first_attempt(redirect(f"http://127.0.0.1:{elsewhere.port}/hook", 307)),
        }
        failing = {name: stack.enter_context(Receiver(behaviour)) for name, behaviour in behaviours.items()}
        succeeding = {name: stack.enter_context(Receiver([behaviour])) for name, behaviour in SUCCESSES.items()}
        closed = stack.enter_context(Receiver())
        closed.refuse()
        server = stack.enter_context(ServerProcess(tmp_path, FAST))
        http = stack.enter_context(server.client())
        receivers = failing | succeeding | {"refuses connections": closed}
        ids = {name: _webhook(http, receiver.url) for name, receiver in receivers.items()}
        path = _new_flow(http)
        for label in LABELS:
            http.put(f"{path}/label", json=label).raise_for_status()
            assert http.put(f"{path}/label", json=5).status_code == 400
        failure = f"webhook {ids['refuses connections']}: No connection"
        wait_until(lambda: failure in server.log, "a failure", TIMEOUT_S)
        closed.accept()
        deadline = time.monotonic() + TIMEOUT_S
        for name, receiver in receivers.items():
            tries = 2 if name in failing else 1
            receiver.wait_for(lambda received, n=tries: len(received) >= n * len(LABELS), deadline - time.monotonic())
            assert _labels(distinct(receiver.received)) == LABELS, name
        wait_until(lambda: {_status(http, id_) for id_ in ids.values()} == {"started"}, "all webhooks working", 10)
        assert elsewhere.connections() == 0
        received = failing["responds 500"].received
        pauses = [
            later.received_at - earlier.received_at
            for earlier, later in zip(received[::2], received[1::2], strict=True)
        ]
        assert max(pauses) < 3, "the back-off must not grow, since no delivery fails twice in a row"


def _status(http: httpx.Client, webhook_id: str) -> str:
    document: Json = http.get(f"/service/webhooks/{webhook_id}").raise_for_status().json()
    status: str = document["status"]
    return status


def _dead_urls(stack: ExitStack) -> list[str]:
    """100 URLs of receivers that hang, never accept, refuse connections, or send their response slowly."""
    hanging = stack.enter_context(Receiver([hang()]))
    unaccepting = [stack.enter_context(unaccepting_url()) for _ in range(5)]
    refusing = stack.enter_context(refusing_url())
    dripping = stack.enter_context(Receiver([drip_head()]))
    return [
        *(f"{hanging.url}/{n}" for n in range(60)),
        *(f"{unaccepting[n % 5]}/{n}" for n in range(15)),
        *(f"{refusing}/{n}" for n in range(10)),
        *(f"{dripping.url}/{n}" for n in range(15)),
    ]


@pytest.mark.timeout(120)
def test_dead_receivers_delay_neither_others_nor_requests(tmp_path: Path) -> None:
    """With the default timeout, so that each of them takes 10 seconds to fail."""
    with ExitStack() as stack:
        server = stack.enter_context(ServerProcess(tmp_path, {"TAMS_WORKER_INTERVAL": "0.1"}))
        http = stack.enter_context(server.client())
        dead = _dead_urls(stack)
        healthy = [stack.enter_context(Receiver()) for _ in range(5)]
        for url in dead:
            _webhook(http, url)
        for receiver in healthy:
            _webhook(http, receiver.url)
        path = _new_flow(http)
        requests, waits = [], []
        for _ in range(10):
            label, began = fresh(), time.monotonic()
            http.put(f"{path}/label", json=label).raise_for_status()
            requests.append(time.monotonic() - began)
            for receiver in healthy:
                received = receiver.wait_for(lambda received, wanted=label: wanted in _labels(received[-1:]), 5)
                waits.append(received[-1].received_at - began)
        print(f"requests {_figures(requests)}; events {_figures(waits)}")
        assert max(waits) < 4
        assert max(requests) < 1.5
        for receiver in healthy:
            assert len(distinct(receiver.received)) == 10


def _figures(seconds: list[float]) -> str:
    return f"median {statistics.median(seconds) * 1000:.0f} ms, at most {max(seconds) * 1000:.0f} ms"
