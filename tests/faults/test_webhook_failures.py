"""Receivers that fail in every way: each event arrives all the same, in order, and nobody else has to wait."""

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
from tests.faults.history import DELIVERY_ID, distinct
from tests.faults.receivers import (
    Behaviour,
    Listener,
    Received,
    Receiver,
    answer,
    chunked,
    drip_body,
    drip_head,
    half_a_body,
    half_a_head,
    hang,
    huge,
    redirect,
    refusing_url,
    reset,
    say,
    unaccepting_url,
)
from tests.faults.running import Running

LABELS = [f"change {n}" for n in range(4)]
FAST = {"TAMS_WEBHOOK_TIMEOUT": "0.5", "TAMS_JOB_LEASE": "2", "TAMS_WORKER_INTERVAL": "0.05"}
PATIENCE_S = 45

REFUSED: dict[str, Behaviour] = {
    "hangs": hang(),
    "answers 500": answer(500),
    "answers 503, and when to come back": answer(503, {"Retry-After": "1"}),
    "answers 404": answer(404),
    "closes without an answer": say(b""),
    "resets the connection": reset(),
    "closes in mid-head": half_a_head(),
    "speaks no HTTP": say(b"220 mail.example.com ESMTP\r\n"),
    "drips its head": drip_head(),
    "fails with a slow body": drip_body(500),
    "fails at length": huge(3_000_000, 500),
}
"""Ways to answer that mean that the event is to be sent again."""

TAKEN: dict[str, Behaviour] = {
    "closes in mid-body": half_a_body(),
    "drips its body": drip_body(),
    "ends a body in pieces too early": chunked(b"well", whole=False),
    "answers 204": answer(204),
    "closes each connection": answer(close=True),
}
"""Ways to answer with success, which stands however the body comes."""


def _at_first(failure: Behaviour) -> Callable[[Received], Behaviour]:
    """Fails at the first try of each delivery."""
    seen: set[str] = set()

    def behave(request: Received) -> Behaviour:
        delivery = request.headers[DELIVERY_ID]
        if delivery in seen:
            return answer()
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


def test_each_event_arrives_in_order_however_the_receiver_fails(tmp_path: Path) -> None:
    with ExitStack() as stack:
        elsewhere = stack.enter_context(Listener())
        ways = {
            **{name: _at_first(failure) for name, failure in REFUSED.items()},
            "redirects": _at_first(redirect(f"http://127.0.0.1:{elsewhere.port}/hook", 307)),
        }
        refused = {name: stack.enter_context(Receiver(way)) for name, way in ways.items()}
        taken = {name: stack.enter_context(Receiver([way])) for name, way in TAKEN.items()}
        closed = stack.enter_context(Receiver())
        closed.refuse()
        server = stack.enter_context(Running(tmp_path, FAST))
        http = stack.enter_context(server.client())
        receivers = refused | taken | {"refuses connections": closed}
        ids = {name: _webhook(http, receiver.url) for name, receiver in receivers.items()}
        path = _new_flow(http)
        for label in LABELS:
            http.put(f"{path}/label", json=label).raise_for_status()
            assert http.put(f"{path}/label", json=5).status_code == 400
        wait_until(lambda: f"webhook {ids['refuses connections']}: No connection" in server.log, "a failure", PATIENCE_S)
        closed.accept()
        deadline = time.monotonic() + PATIENCE_S
        for name, receiver in receivers.items():
            tries = 2 if name in refused else 1
            receiver.wait_for(lambda came, n=tries: len(came) >= n * len(LABELS), deadline - time.monotonic())
            assert _labels(distinct(receiver.received)) == LABELS, name
        wait_until(lambda: {_status(http, id_) for id_ in ids.values()} == {"started"}, "all webhooks working", 10)
        assert elsewhere.connections() == 0
        came = refused["answers 500"].received
        pauses = [later.at - earlier.at for earlier, later in zip(came[::2], came[1::2], strict=True)]
        assert max(pauses) < 3, "not longer each time, since it never fails twice in a row"


def _status(http: httpx.Client, webhook_id: str) -> str:
    document: Json = http.get(f"/service/webhooks/{webhook_id}").raise_for_status().json()
    status: str = document["status"]
    return status


def _dead_urls(stack: ExitStack) -> list[str]:
    """100 URLs: receivers that hang, that never accept, and that refuse connections."""
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
    """With the timeout as it is by default, so that each of them takes 10 seconds to fail."""
    with ExitStack() as stack:
        server = stack.enter_context(Running(tmp_path, {"TAMS_WORKER_INTERVAL": "0.1"}))
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
                came = receiver.wait_for(lambda came, wanted=label: wanted in _labels(came[-1:]), 5)
                waits.append(came[-1].at - began)
        print(f"requests {_figures(requests)}; events {_figures(waits)}")
        assert max(waits) < 4
        assert max(requests) < 1.5
        for receiver in healthy:
            assert len(distinct(receiver.received)) == 10


def _figures(seconds: list[float]) -> str:
    return f"median {statistics.median(seconds) * 1000:.0f} ms, at most {max(seconds) * 1000:.0f} ms"
