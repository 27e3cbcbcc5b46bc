"""Delete a flow with very many segments, in the background, across two kills, down to the last row and byte.

Other requests must stay fast meanwhile. TAMS_TEST_SEGMENTS: number of segments (100000 for a long run).
"""

import os
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from storage.tables import open_engine
from storage.timerange import NS, TimeRange, parse_timerange
from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.polling import wait_until
from tests.faults.history import EVENTS, distinct
from tests.faults.receivers import Receiver
from tests.faults.server_process import ServerProcess

SEGMENTS = int(os.environ.get("TAMS_TEST_SEGMENTS", "10000"))
STORED = SEGMENTS // 50
"""Number of objects with bytes in the store; all others are uncontrolled."""
SHARED = SEGMENTS // 100
"""Number of additional ones that a second flow also uses."""
SETTINGS = {
    "TAMS_OBJECT_GRACE": "0",
    "TAMS_JOB_LEASE": "2",
    "TAMS_WEBHOOK_TIMEOUT": "1",
    "TAMS_FAIL_ON_BAD_ANSWER": "false",
}
_MAX_SLOWDOWN = 6
"""Factor by which other requests may slow down. The aim is 2; the rest allows for a busy machine and a short run."""
PROBES = 100
_POLL_S = 0.2
"""Polling interval; each poll is a request itself."""
_TIMEOUT_S = 120 + SEGMENTS / 100


def _new_flow(http: httpx.Client) -> str:
    document = flow()
    http.put(f"/flows/{document['id']}", json=document).raise_for_status()
    return f"/flows/{document['id']}"


def _upload(http: httpx.Client, path: str, count: int) -> list[str]:
    """Allocate objects and upload their ids as bytes. Returns the ids."""
    found: list[Json] = []
    while len(found) < count:
        limit = min(1000, count - len(found))
        found += http.post(f"{path}/storage", json={"limit": limit}).raise_for_status().json()["media_objects"]

    def put(item: Json) -> None:
        url = item["put_url"]
        headers = {"Content-Type": url["content-type"]}
        http.put(url["url"], content=item["object_id"].encode(), headers=headers).raise_for_status()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(put, found))
    return [item["object_id"] for item in found]


def _register(http: httpx.Client, path: str, first: int, segments: list[Json]) -> None:
    """Register these segments, one second each, without gaps, starting at second `first`."""
    for start in range(0, len(segments), 10_000):
        part = [
            {**segment, "timerange": f"[{n}:0_{n + 1}:0)", "object_timerange": "[0:0_1:0)", "ts_offset": f"{n}:0"}
            for n, segment in enumerate(segments[start : start + 10_000], first + start)
        ]
        response = http.post(f"{path}/segments", json=part, timeout=120).raise_for_status()
        assert response.status_code == 201, response.text[:500]


def _uncontrolled_object() -> Json:
    object_id = fresh()
    return {"object_id": object_id, "get_urls": [{"url": f"https://media.example.com/{object_id}", "label": "there"}]}


@dataclass(frozen=True)
class _Latencies:
    """Durations of requests in seconds, by kind."""

    read: list[float]
    write: list[float]


@contextmanager
def _probe(server: ServerProcess, path: str) -> Iterator[_Latencies]:
    """Repeatedly read a flow and register a segment in it, as one client, during the block."""
    found, stopping = _Latencies([], []), threading.Event()

    def probe() -> None:
        with server.client() as http:
            while not stopping.is_set():
                found.read.append(_timed(lambda: http.get(path)))
                now = time.time_ns()
                segment = {**_uncontrolled_object(), "timerange": str(TimeRange(now, now + 1))}
                found.write.append(_timed(lambda body=segment: http.post(f"{path}/segments", json=body)))
                stopping.wait(0.01)

    with ThreadPoolExecutor(1) as threads:
        probing = threads.submit(probe)
        try:
            yield found
        finally:
            stopping.set()
            probing.result()


def _timed(request: Callable[[], httpx.Response]) -> float:
    began = time.perf_counter()
    request().raise_for_status()
    return time.perf_counter() - began


def _format(seconds: list[float]) -> str:
    return f"median {_median(seconds):.1f} ms, p95 {_p95(seconds):.1f} ms ({len(seconds)})"


def _median(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.95)] * 1000


def _remaining_rows(folder: Path) -> dict[str, list[Json]]:
    engine = open_engine(f"sqlite:///{folder / 'data' / 'catalog.db'}")
    tables = (
        "segments",
        "objects",
        "instances",
        "object_refs",
        "garbage",
        "flows",
        "jobs",
        "events",
        "deliveries",
    )
    with engine.read() as tx:
        rows = {table: tx.select(table) for table in tables}
    engine.close()
    return rows


def _files(folder: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(folder / "data" / "media" / "objects"))


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.timeout(120 + SEGMENTS // 40)
def test_a_long_flow_is_deleted_to_the_last_byte(tmp_path: Path) -> None:
    with Receiver() as receiver, ServerProcess(tmp_path, SETTINGS) as server:
        began = time.monotonic()
        with server.client(120) as http:
            doomed, other, busy = (_new_flow(http) for _ in range(3))
            stored = _upload(http, doomed, STORED)
            shared = _upload(http, doomed, SHARED)
            mine = [{"object_id": id_} for id_ in stored + shared]
            _register(http, doomed, 0, mine + [_uncontrolled_object() for _ in range(SEGMENTS - len(mine))])
            _register(http, other, 0, [{"object_id": id_} for id_ in shared])
            http.post("/service/webhooks", json={"url": receiver.url, "events": EVENTS}).raise_for_status()
            assert _files(tmp_path) == len(mine)
            print(f"{SEGMENTS} segments registered in {time.monotonic() - began:.0f} s")

            with _probe(server, busy) as before:
                wait_until(lambda: len(before.write) >= PROBES, "baseline latencies", 60)
            began = time.monotonic()
            response = http.delete(doomed)
            took = time.monotonic() - began
            assert response.status_code == 202
            request = response.headers["Location"]
            assert httpx.URL(request).path.startswith("/flow-delete-requests/")
            assert took < 1
            assert http.get(doomed).status_code == 404

            def remaining() -> int:
                threading.Event().wait(_POLL_S)
                document = http.get(request).raise_for_status().json()
                left = parse_timerange(document["timerange_remaining"])
                assert document["status"] != "error"
                return SEGMENTS if left.start is None else 0 if left.is_empty else SEGMENTS - left.start // NS

            with _probe(server, busy) as during:
                wait_until(lambda: remaining() < SEGMENTS * 2 // 3, "a third of the deletion", _TIMEOUT_S)
                os.kill(server.background_pid(), signal.SIGKILL)
                at_first_kill = remaining()
                wait_until(lambda: remaining() < at_first_kill, "the deletion to resume", _TIMEOUT_S)
                wait_until(lambda: remaining() < SEGMENTS // 3, "two thirds of the deletion", _TIMEOUT_S)
        server.kill()
        server.start()
        with server.client(120) as http:
            assert remaining() > 0, "the server must be killed before the end"
            wait_until(lambda: http.get(request).json()["status"] == "done", "the end of the deletion", _TIMEOUT_S)
            assert remaining() == 0
            deleted_in = time.monotonic() - began
            wait_until(lambda: _files(tmp_path) <= SHARED, "the removal of bytes", _TIMEOUT_S)
            wait_until(lambda: _idle(tmp_path), "the end of all work", _TIMEOUT_S)
            gone_in = time.monotonic() - began
            with _probe(server, busy) as after:
                wait_until(lambda: len(after.write) >= PROBES, "latencies after the deletion", 60)
            wait_until(lambda: _idle(tmp_path), "the end of all work", _TIMEOUT_S)
            _check_shared(http, other, shared)
            doomed_id = doomed.rpartition("/")[2]
        _check_rows(_remaining_rows(tmp_path), doomed_id, {*shared, *_objects_of(server, busy)})
        assert _files(tmp_path) == SHARED
        _check_events(receiver, doomed_id)
    print(f"DELETE took {took * 1000:.0f} ms; deleted in {deleted_in:.0f} s, all bytes gone in {gone_in:.0f} s")
    for kind in ("read", "write"):
        at_rest = getattr(before, kind) + getattr(after, kind)
        meanwhile = getattr(during, kind)
        print(f"{kind}: before and after {_format(at_rest)}, during {_format(meanwhile)}")
        assert _median(meanwhile) < _MAX_SLOWDOWN * _median(at_rest), kind


def _idle(folder: Path) -> bool:
    left = _remaining_rows(folder)
    waiting = any(left[table] for table in ("jobs", "garbage", "events", "deliveries"))
    return not waiting and all(row["expires"] is None for row in left["objects"])


def _objects_of(server: ServerProcess, path: str) -> set[str]:
    with server.client() as http:
        response = http.get(f"{path}/segments", params={"limit": 1000})
        found = {segment["object_id"] for segment in response.raise_for_status().json()}
        while "next" in response.links:
            response = http.get(response.links["next"]["url"]).raise_for_status()
            found |= {segment["object_id"] for segment in response.json()}
    return found


def _check_shared(http: httpx.Client, other: str, shared: list[str]) -> None:
    """Assert that the second flow is complete, with all its bytes."""
    segments = http.get(f"{other}/segments", params={"limit": 1000}).raise_for_status().json()
    assert [segment["object_id"] for segment in segments] == shared

    def content(segment: Json) -> bytes:
        return httpx.Response.read(http.get(segment["get_urls"][0]["url"]).raise_for_status())

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(content, segments)) == [id_.encode() for id_ in shared]


def _check_rows(left: dict[str, list[Json]], doomed: str, objects: set[str]) -> None:
    """Assert that no row refers to the deleted flow, nor to any object except these."""
    assert doomed not in {row["id"] for row in left["flows"]}
    for table in ("segments", "object_refs"):
        assert not [row for row in left[table] if row["flow_id"] == doomed], table
    assert {row["id"] for row in left["objects"]} == objects
    assert {row["object_id"] for row in left["instances"]} == objects
    assert {row["object_id"] for row in left["object_refs"]} == objects
    assert not left["events"] and not left["deliveries"]


def _check_events(receiver: Receiver, doomed: str) -> None:
    """Assert that the events are flows/deleted, then flows/segments_deleted for all segments once, in order."""
    messages = [each.json for each in distinct(receiver.received)]
    mine = [m for m in messages if m["event"].get("flow_id") == doomed]
    assert [m["event_type"] for m in mine] == ["flows/deleted"] + ["flows/segments_deleted"] * (len(mine) - 1)
    end = 0
    for message in mine[1:]:
        gone = parse_timerange(message["event"]["timerange"])
        assert gone.start == end and gone.end is not None
        end = gone.end
    assert end == SEGMENTS * NS
