"""Kill and restart PostgreSQL, the S3 store or the emulated VAST Database while clients ingest.

Clients get 503 with Retry-After, nothing acknowledged is lost, and the server recovers by itself.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
import pytest

from tams_server.deadline import DEADLINE_S
from tests.conformance.kit.documents import flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.polling import wait_until
from tests.faults.ingest_clients import WRITERS, Client, Reader, Writer
from tests.faults.server_process import ServerProcess
from tests.servers.postgres import PostgresServer
from tests.servers.seaweed import SeaweedServer
from tests.servers.stores import Stores
from tests.servers.vast import VastServer

KILLS = 2
STEPS_EACH = 3
_TIMEOUT_S = 45


class _Killable(Protocol):
    def kill(self) -> None: ...

    def start(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Outage:
    """A store to kill. settings: of a TAMS server over it."""

    server: _Killable
    settings: dict[str, str]


def _postgresql(stack: ExitStack, folder: Path) -> Outage:
    server = PostgresServer.create(durable=True)
    stack.callback(server.remove)
    return Outage(server, Stores(postgres=server.url()).settings(folder))


def _vast(stack: ExitStack, folder: Path) -> Outage:
    server = stack.enter_context(VastServer(folder / "vast"))
    return Outage(server, {"TAMS_DATABASE_URL": server.url("tams") + "?patience=1&timeout=5"})


def _s3(stack: ExitStack, folder: Path) -> Outage:
    server = stack.enter_context(SeaweedServer(folder / "seaweed"))
    stores = Stores(
        endpoint=server.endpoint,
        bucket=server.new_bucket(),
        access_key=server.access_key,
        secret_key=server.secret_key,
    )
    return Outage(server, stores.settings(folder))


@pytest.fixture(params=[_postgresql, _vast, _s3], ids=["postgresql", "vast", "s3"])
def outage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outage]:
    make: Callable[[ExitStack, Path], Outage] = request.param
    with ExitStack() as stack:
        yield make(stack, tmp_path)


def _until(clients: list[Client], what: str, reached: Callable[[], bool]) -> None:
    wait_until(lambda: reached() or any(client.errors for client in clients), what, _TIMEOUT_S)
    assert not [client.errors for client in clients if client.errors]


def _ingest_through_kills(server: ServerProcess, outage: Outage, path: str) -> list[Writer]:
    """Run writers and a reader while the store is killed and restarted. Returns the writers."""
    stop = threading.Event()
    writers = [Writer(server, path, stop, first) for first in range(WRITERS)]
    clients = [*writers, Reader(server, path, stop, writers)]
    for client in clients:
        client.start()
    try:
        for _ in range(KILLS):
            _wait_for_progress(clients, writers)
            before = [writer.deferred for writer in writers]
            outage.server.kill()
            _until(clients, "503 responses", lambda: all(w.deferred > b for w, b in zip(writers, before, strict=True)))  # noqa: B023
            outage.server.start()
        _wait_for_progress(clients, writers)
    finally:
        stop.set()
        for client in clients:
            client.join(_TIMEOUT_S)
    assert not [client.errors for client in clients if client.errors]
    return writers


def _wait_for_progress(clients: list[Client], writers: list[Writer]) -> None:
    goals = [writer.done + STEPS_EACH for writer in writers]
    _until(clients, "ingest", lambda: all(w.done >= goal for w, goal in zip(writers, goals, strict=True)))


@pytest.mark.timeout(240)
def test_ingest_resumes_after_a_store_was_killed_and_restarted(outage: Outage, tmp_path: Path) -> None:
    settings = {"TAMS_ASYNC_DELETION_THRESHOLD": "1", "TAMS_WORKER_INTERVAL": "0.1", **outage.settings}
    document = flow()
    path = f"/flows/{document['id']}"
    with ServerProcess(tmp_path / "server", settings) as server, server.client() as http:
        http.put(path, json=document).raise_for_status()
        processes = server.main_pid, server.background_pid(), sorted(server.serving_pids())
        writers = _ingest_through_kills(server, outage, path)
        assert (server.main_pid, server.background_pid(), sorted(server.serving_pids())) == processes

        acknowledged = {key: value for writer in writers for key, value in writer.acknowledged.items()}
        listed = http.get(f"{path}/segments", params={"limit": 1000, "presigned": True}).raise_for_status().json()
        stored = {segment["object_id"]: segment for segment in listed}
        for object_id, (timerange, content) in acknowledged.items():
            assert stored[object_id]["timerange"] == timerange
            assert httpx.get(stored[object_id]["get_urls"][0]["url"], timeout=30).content == content
        # The background worker has recovered too.
        request = http.delete(path).raise_for_status().headers["Location"]
        wait_until(lambda: http.get(request).raise_for_status().json()["status"] == "done", "the deletion", _TIMEOUT_S)
        assert http.get(path).status_code == 404


@pytest.mark.parametrize("outage", [_postgresql, _vast], ids=["postgresql", "vast"], indirect=True)
def test_processes_that_die_during_a_catalogue_outage_are_replaced(outage: Outage, tmp_path: Path) -> None:
    """Even though the file with the storage backends has become invalid: the server has read it at start."""
    settings = {"TAMS_ASYNC_DELETION_THRESHOLD": "0", "TAMS_WORKER_INTERVAL": "0.1", **outage.settings}
    (tmp_path / "media").mkdir()
    backend = {"id": fresh(), "kind": "files", "folder": str(tmp_path / "media"), "default": True}
    backends = tmp_path / "backends.yaml"
    backends.write_text(json.dumps({"backends": [backend]}))
    settings["TAMS_STORAGE_BACKENDS"] = str(backends)
    document = flow()
    path = f"/flows/{document['id']}"
    with ServerProcess(tmp_path / "server", settings) as server, server.client() as http:
        http.put(path, json=document).raise_for_status()
        backends.write_text("backends: [")
        outage.server.kill()
        before = {server.background_pid(), *server.serving_pids()}
        for pid in before:
            os.kill(pid, signal.SIGKILL)

        def status_of(get_path: str) -> int:
            try:
                return http.get(get_path).status_code
            except httpx.TransportError:  # The process has just been killed.
                return 0

        wait_until(lambda: before.isdisjoint({server.background_pid(), *server.serving_pids()}), "others", _TIMEOUT_S)
        wait_until(lambda: status_of("/healthz") == 200, "an response", _TIMEOUT_S)
        assert status_of(path) == 503
        outage.server.start()
        wait_until(lambda: status_of(path) == 200, "the flow", _TIMEOUT_S)
        assert server.process.poll() is None
        elsewhere = {"object_id": fresh(), "get_urls": [{"url": "https://media.example.com/1", "label": "there"}]}
        segment = {**elsewhere, "timerange": "[0:0_1:0)"}
        http.post(f"{path}/segments", json=segment).raise_for_status()
        request = http.delete(path).raise_for_status().headers["Location"]
        wait_until(lambda: http.get(request).raise_for_status().json()["status"] == "done", "the deletion", _TIMEOUT_S)


@pytest.mark.parametrize("outage", [_postgresql, _vast], ids=["postgresql", "vast"], indirect=True)
def test_server_is_ready_only_while_its_catalogue_is_available(outage: Outage, tmp_path: Path) -> None:
    settings = {"TAMS_WORKERS": "1", **outage.settings}
    with ServerProcess(tmp_path / "server", settings) as server, server.client() as http:
        for change, status in ((outage.server.kill, 503), (outage.server.start, 200)):
            change()
            wait_until(lambda: http.get("/readyz").status_code == status, f"/readyz to response {status}", _TIMEOUT_S)  # noqa: B023
            assert http.get("/healthz").status_code == 200


@pytest.mark.timeout(180)
def test_readiness_and_metrics_do_not_wait_for_a_database_that_hangs(tmp_path: Path) -> None:
    """Even if every request thread is waiting for it."""
    with VastServer(tmp_path / "vast") as vast:
        settings = {"TAMS_DATABASE_URL": vast.url("tams"), "TAMS_WORKERS": "1"}
        with ServerProcess(tmp_path / "server", settings) as server, server.client(60) as http:
            http.get("/flows").raise_for_status()
            vast.pause()
            with ThreadPoolExecutor(12) as pool:
                held = [pool.submit(http.get, "/flows") for _ in range(12)]
                began = time.monotonic()
                wait_until(lambda: http.get("/readyz").status_code == 503, "the end of readiness", _TIMEOUT_S)
                assert "tams_catalogue_up 0.0" in http.get("/metrics").text
                assert time.monotonic() - began < 2 * DEADLINE_S + 3
                assert http.get("/healthz").status_code == 200
                assert not any(each.done() for each in held)
                vast.resume()
                wait_until(lambda: http.get("/readyz").status_code == 200, "readiness", _TIMEOUT_S)
            assert {each.result().status_code for each in held} <= {200, 503}
