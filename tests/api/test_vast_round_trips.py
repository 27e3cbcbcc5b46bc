"""The requests to a VAST cluster that a request to the server causes, counted by the emulator."""

import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.media import url_keys
from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import MULTI, flow
from tests.vast_emulator import Emulator

APPEND = {"begin": 1, "select": 2, "update": 2, "insert": 2, "commit": 1}
"""The rows of flow and object are read and changed; a segment and a reference to the object are inserted."""
WITH_LISTENERS = {"begin": 1, "select": 6, "update": 2, "insert": 3, "commit": 1}
"""In addition, reads the webhooks, the collections of flow and source and the newest event, and inserts the event."""

_TRIES = 6
"""A credential, a key or a rule may be read again between two requests, and two locks may have the same number."""


@pytest.fixture(params=["statement", "commit"])
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    emulator = Emulator(request.param)
    yield emulator
    emulator.close()


@pytest.fixture(autouse=True)
def _keep_url_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not read the keys of media URLs again, which happens every few seconds beside the requests."""
    monkeypatch.setattr(url_keys, "RENEW_S", 3600)
    monkeypatch.setattr(url_keys, "WAIT_S", 3600)


@pytest.fixture
def server(emulator: Emulator, tmp_path: Path) -> Iterator[Running]:
    with serving(tmp_path, database_url=emulator.url("counted")) as running:
        yield running


@pytest.fixture
def flow_id(server: Running) -> str:
    document = flow()
    server.client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    return str(document["id"])


def _allocated(server: Running, flow_id: str, count: int) -> list[str]:
    response = server.client.post(f"/flows/{flow_id}/storage", json={"limit": count}).raise_for_status()
    return [each["object_id"] for each in response.json()["media_objects"]]


def _settled(emulator: Emulator) -> dict[str, int]:
    """Return the requests so far, once every transaction has ended, even if the server did not wait for it."""
    counters = emulator.counters
    deadline = time.monotonic() + 10
    while counters["begin"] > counters["commit"] + counters["rollback"] and time.monotonic() < deadline:
        time.sleep(0.005)
    return {kind: count for kind, count in counters.items() if count and not kind.startswith("rows")}


def _counted(emulator: Emulator, server: Running, method: str, path: str, json: Any = None) -> dict[str, int]:
    """Return the requests caused by one request of a client whose token is cached."""
    emulator.counters.clear()
    server.client.get("/service").raise_for_status()
    _settled(emulator)
    emulator.counters.clear()
    server.client.request(method, path, json=json).raise_for_status()
    return _settled(emulator)


def test_an_allocation_takes_six_requests(emulator: Emulator, server: Running, flow_id: str) -> None:
    """One transaction reads and changes the row of the flow, and inserts the objects and their instances."""
    expected = {"begin": 1, "select": 1, "update": 1, "insert": 2, "commit": 1}
    _allocated(server, flow_id, 1)  # reads the keys of media URLs
    for count in (1, 100):
        assert _counted(emulator, server, "POST", f"/flows/{flow_id}/storage", {"limit": count}) == expected


def test_an_append_takes_eight_requests(emulator: Emulator, server: Running, flow_id: str) -> None:
    ids = _allocated(server, flow_id, 8)

    def append(*numbers: int) -> dict[str, int]:
        items = [{"object_id": ids[n], "timerange": f"[{n}:0_{n + 1}:0)"} for n in numbers]
        return _counted(emulator, server, "POST", f"/flows/{flow_id}/segments", items)

    assert append(0) == append(1) == append(2) == APPEND
    assert append(3, 4, 5, 6, 7) == APPEND


def test_an_append_with_a_webhook_takes_thirteen_requests(emulator: Emulator, server: Running, flow_id: str) -> None:
    hook = {"url": "https://receiver.example/", "events": ["flows/segments_added"]}
    server.client.post("/service/webhooks", json=hook).raise_for_status()
    object_id = _allocated(server, flow_id, 1)[0]
    segment = {"object_id": object_id, "timerange": "[0:0_1:0)"}
    assert _counted(emulator, server, "POST", f"/flows/{flow_id}/segments", segment) == WITH_LISTENERS


def test_a_page_of_segments_takes_four_requests(emulator: Emulator, server: Running, flow_id: str) -> None:
    """The flow, the segments, their instances, and whether the flow is unchanged."""
    ids = _allocated(server, flow_id, 150)
    items = [{"object_id": id_, "timerange": f"[{n}:0_{n + 1}:0)"} for n, id_ in enumerate(ids)]
    server.client.post(f"/flows/{flow_id}/segments", json=items).raise_for_status()
    for query in ("", "?timerange=[40:0_60:0)", "?reverse_order=true", "?limit=20"):
        counted = _counted(emulator, server, "GET", f"/flows/{flow_id}/segments{query}")
        assert counted == {"select": 4}, query


def test_a_flow_takes_three_requests_and_a_member_of_it_one(emulator: Emulator, server: Running, flow_id: str) -> None:
    assert _counted(emulator, server, "GET", f"/flows/{flow_id}") == {"select": 3}
    assert _counted(emulator, server, "GET", f"/flows/{flow_id}/tags") == {"select": 1}


def test_a_source_or_an_object_takes_a_transaction(emulator: Emulator, server: Running, flow_id: str) -> None:
    [object_id] = _allocated(server, flow_id, 1)
    segment = {"object_id": object_id, "timerange": "[0:0_1:0)"}
    server.client.post(f"/flows/{flow_id}/segments", json=segment).raise_for_status()
    source_id = server.client.get(f"/flows/{flow_id}").json()["source_id"]
    counted = _counted(emulator, server, "GET", f"/sources/{source_id}")
    assert counted == {"begin": 1, "select": 3, "rollback": 1}
    counted = _counted(emulator, server, "GET", f"/objects/{object_id}")
    assert counted == {"begin": 1, "select": 4, "rollback": 1}


def test_an_unknown_flow_takes_one_request(emulator: Emulator, server: Running) -> None:
    counted = _counted(emulator, server, "GET", f"/flows/{uuid.uuid4()}/segments")
    assert counted == {"select": 1}


def test_a_batch_takes_as_many_requests_as_one_item(emulator: Emulator, server: Running, flow_id: str) -> None:
    """F5 and F6: whatever the number of flows, sources and objects."""

    def flows(count: int) -> list[dict[str, Any]]:
        return [flow(tags={"studio": "A"}) for _ in range(count)]

    def collected(count: int) -> list[dict[str, Any]]:
        items = flows(count)
        members = [{"id": each["id"]} for each in items]
        programme = {"source_id": str(uuid.uuid4()), "format": MULTI, "flow_collection": members}
        return [programme, *items]

    def sources(count: int) -> list[dict[str, Any]]:
        return [{"format": MULTI, "tags": {"studio": "A"}}] * count

    def objects(count: int) -> list[dict[str, Any]]:
        return [{"flow_id": flow_id}] * count

    server.client.post("/objects/batch", json=objects(1)).raise_for_status()  # reads the keys of media URLs
    for path, items in (("flows", flows), ("flows", collected), ("sources", sources), ("objects/batch", objects)):
        for _ in range(_TRIES):
            few, many = (Counter(_counted(emulator, server, "POST", f"/{path}", items(count))) for count in (2, 100))
            # Fewer are possible: a later lock may have the number of one that a batch of 100 holds already.
            if many <= few:
                break
        assert many <= few, path
        assert few.total() < 30, path
