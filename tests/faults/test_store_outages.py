"""PostgreSQL, the S3 store or the emulated VAST Database is killed while clients ingest, and started again: they are
asked to come back later, nothing that was acknowledged is lost, and the server needs no help."""

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
from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.polling import wait_until
from tests.faults.running import Running
from tests.servers.postgres import PostgresServer
from tests.servers.seaweed import SeaweedServer
from tests.servers.stores import Stores
from tests.servers.vast import VastServer

KILLS = 2
WRITERS = 2
DONE_EACH = 3
_PHASE_S = 45
_PAUSE_S = 0.05


class _Server(Protocol):
    def kill(self) -> None: ...

    def start(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Outage:
    """server: what is killed. settings: of a TAMS server over it."""

    server: _Server
    settings: dict[str, str]


def _postgresql(stack: ExitStack, folder: Path) -> Outage:
    server = PostgresServer.make(durable=True)
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


class _Client(threading.Thread):
    """Does the same again and again until told to stop. wrong: what a client must never see."""

    def __init__(self, server: Running, path: str, stop: threading.Event) -> None:
        super().__init__()
        self._http = server.client()
        self._path = path
        self._stop_asked = stop
        self.put_off = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        try:
            while not self._stop_asked.is_set() and not self.wrong:
                self._once()
        except _Stopped:
            pass
        except Exception as error:
            self.wrong.append(repr(error))
        finally:
            self._http.close()

    def _once(self) -> None:
        raise NotImplementedError

    def _later(self) -> None:
        """Come back later."""
        self.put_off += 1
        if self._stop_asked.wait(_PAUSE_S):
            raise _Stopped

    def _ask(self, method: str, path: str, body: Json | None = None) -> tuple[httpx.Response, bool]:
        """The answer, once it is not 503, and whether it was before."""
        again = False
        while (answer := self._http.request(method, path, json=body)).status_code == 503:
            if "Retry-After" not in answer.headers:
                self.wrong.append(f"{method} {path}: 503 without Retry-After")
            again = True
            self._later()
        return answer, again


class _Stopped(Exception):
    """The test is over."""


class _Writer(_Client):
    """Allocates, uploads, registers, copies to a second backend if there is one, and reads back."""

    def __init__(self, server: Running, path: str, stop: threading.Event, first: int) -> None:
        super().__init__(server, path, stop)
        self._at = first
        self._second = _second_backend(self._http)
        self.acknowledged: dict[str, tuple[str, bytes]] = {}
        self.done = 0

    def _once(self) -> None:
        answer, _ = self._ask("POST", f"{self._path}/storage", {"limit": 1})
        item, content = answer.raise_for_status().json()["media_objects"][0], os.urandom(20_000)
        put_url, object_id = item["put_url"], item["object_id"]
        self._media("PUT", put_url["url"], content, {"Content-Type": put_url["content-type"]})
        timerange = f"[{self._at}:0_{self._at + 1}:0)"
        self._at += WRITERS
        self._change(f"{self._path}/segments", {"object_id": object_id, "timerange": timerange})
        self.acknowledged[object_id] = timerange, content
        if self._second:
            self._change(f"/objects/{object_id}/instances", {"storage_id": self._second})
        answer, _ = self._ask("GET", f"/objects/{object_id}?presigned=true")
        urls = answer.raise_for_status().json()["get_urls"]
        if len(urls) != 1 + bool(self._second):
            self.wrong.append(f"object {object_id} has {len(urls)} URLs")
        for url in urls:
            if self._media("GET", url["url"]).content != content:
                self.wrong.append(f"object {object_id} has other bytes than were sent")
        self.done += 1

    def _change(self, path: str, body: Json) -> None:
        """A request that is answered 201; where it was 503 first, it may have been carried out after all."""
        answer, again = self._ask("POST", path, body)
        if answer.status_code != 201 and not (again and answer.status_code == 400):
            self.wrong.append(f"POST {path}: {answer.status_code} {answer.text}")

    def _media(
        self, method: str, url: str, content: bytes = b"", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """From or to a store, which may be the one that is down."""
        while True:
            try:
                answer = httpx.request(method, url, content=content, headers=headers, timeout=30)
            except httpx.TransportError:
                self._later()
                continue
            if answer.status_code < 500:
                return answer.raise_for_status()
            self._later()


class _Reader(_Client):
    """Lists what was acknowledged before."""

    def __init__(self, server: Running, path: str, stop: threading.Event, writers: list[_Writer]) -> None:
        super().__init__(server, path, stop)
        self._writers = writers

    def _once(self) -> None:
        known = {object_id for writer in self._writers for object_id in list(writer.acknowledged)}
        answer, _ = self._ask("GET", f"{self._path}/segments?limit=1000")
        missing = known - {segment["object_id"] for segment in answer.raise_for_status().json()}
        if missing:
            self.wrong.append(f"{len(missing)} of {len(known)} segments are not listed")
        self._stop_asked.wait(_PAUSE_S)


def _second_backend(http: httpx.Client) -> str:
    found = http.get("/service/storage-backends").raise_for_status().json()
    return next((each["id"] for each in found if not each.get("default_storage")), "")


def _until(clients: list[_Client], what: str, reached: Callable[[], bool]) -> None:
    wait_until(lambda: reached() or any(client.wrong for client in clients), what, _PHASE_S)
    assert not [client.wrong for client in clients if client.wrong]


def _ingest_through_kills(server: Running, outage: Outage, path: str) -> list[_Writer]:
    """Writers and a reader at work while the store is killed and started; what the writers have done."""
    stop = threading.Event()
    writers = [_Writer(server, path, stop, first) for first in range(WRITERS)]
    clients = [*writers, _Reader(server, path, stop, writers)]
    for client in clients:
        client.start()
    try:
        for _ in range(KILLS):
            _until_each_has_done(clients, writers)
            before = [writer.put_off for writer in writers]
            outage.server.kill()
            _until(clients, "refusals", lambda: all(w.put_off > b for w, b in zip(writers, before, strict=True)))  # noqa: B023
            outage.server.start()
        _until_each_has_done(clients, writers)
    finally:
        stop.set()
        for client in clients:
            client.join(_PHASE_S)
    assert not [client.wrong for client in clients if client.wrong]
    return writers


def _until_each_has_done(clients: list[_Client], writers: list[_Writer]) -> None:
    goals = [writer.done + DONE_EACH for writer in writers]
    _until(clients, "ingest", lambda: all(w.done >= goal for w, goal in zip(writers, goals, strict=True)))


@pytest.mark.timeout(240)
def test_ingest_goes_on_when_a_store_that_was_killed_is_back(outage: Outage, tmp_path: Path) -> None:
    settings = {"TAMS_ASYNC_DELETION_THRESHOLD": "1", "TAMS_WORKER_INTERVAL": "0.1", **outage.settings}
    document = flow()
    path = f"/flows/{document['id']}"
    with Running(tmp_path / "server", settings) as server, server.client() as http:
        http.put(path, json=document).raise_for_status()
        processes = server.main, server.background(), sorted(server.answering())
        writers = _ingest_through_kills(server, outage, path)
        assert (server.main, server.background(), sorted(server.answering())) == processes

        acknowledged = {key: value for writer in writers for key, value in writer.acknowledged.items()}
        listed = http.get(f"{path}/segments", params={"limit": 1000, "presigned": True}).raise_for_status().json()
        stored = {segment["object_id"]: segment for segment in listed}
        for object_id, (timerange, content) in acknowledged.items():
            assert stored[object_id]["timerange"] == timerange
            assert httpx.get(stored[object_id]["get_urls"][0]["url"], timeout=30).content == content
        # The background worker is back too.
        request = http.delete(path).raise_for_status().headers["Location"]
        wait_until(lambda: http.get(request).raise_for_status().json()["status"] == "done", "the deletion", _PHASE_S)
        assert http.get(path).status_code == 404


@pytest.mark.parametrize("outage", [_postgresql, _vast], ids=["postgresql", "vast"], indirect=True)
def test_processes_that_die_without_a_catalogue_are_replaced(outage: Outage, tmp_path: Path) -> None:
    settings = {"TAMS_ASYNC_DELETION_THRESHOLD": "0", "TAMS_WORKER_INTERVAL": "0.1", **outage.settings}
    document = flow()
    path = f"/flows/{document['id']}"
    with Running(tmp_path / "server", settings) as server, server.client() as http:
        http.put(path, json=document).raise_for_status()
        outage.server.kill()
        before = {server.background(), *server.answering()}
        for pid in before:
            os.kill(pid, signal.SIGKILL)

        def status_of(get_path: str) -> int:
            try:
                return http.get(get_path).status_code
            except httpx.TransportError:  # Of a process that has just been killed.
                return 0

        wait_until(lambda: before.isdisjoint({server.background(), *server.answering()}), "others", _PHASE_S)
        wait_until(lambda: status_of("/healthz") == 200, "an answer", _PHASE_S)
        assert status_of(path) == 503
        outage.server.start()
        wait_until(lambda: status_of(path) == 200, "the flow", _PHASE_S)
        assert server.process.poll() is None
        elsewhere = {"object_id": fresh(), "get_urls": [{"url": "https://media.example.com/1", "label": "there"}]}
        segment = {**elsewhere, "timerange": "[0:0_1:0)"}
        http.post(f"{path}/segments", json=segment).raise_for_status()
        request = http.delete(path).raise_for_status().headers["Location"]
        wait_until(lambda: http.get(request).raise_for_status().json()["status"] == "done", "the deletion", _PHASE_S)


@pytest.mark.parametrize("outage", [_postgresql, _vast], ids=["postgresql", "vast"], indirect=True)
def test_server_is_ready_only_while_its_catalogue_is_there(outage: Outage, tmp_path: Path) -> None:
    settings = {"TAMS_WORKERS": "1", **outage.settings}
    with Running(tmp_path / "server", settings) as server, server.client() as http:
        for change, status in ((outage.server.kill, 503), (outage.server.start, 200)):
            change()
            wait_until(lambda: http.get("/readyz").status_code == status, f"/readyz to answer {status}", _PHASE_S)  # noqa: B023
            assert http.get("/healthz").status_code == 200


@pytest.mark.timeout(180)
def test_readiness_and_metrics_do_not_wait_for_a_database_that_hangs(tmp_path: Path) -> None:
    """Not even while every thread that answers requests does."""
    with VastServer(tmp_path / "vast") as vast:
        settings = {"TAMS_DATABASE_URL": vast.url("tams"), "TAMS_WORKERS": "1"}
        with Running(tmp_path / "server", settings) as server, server.client(60) as http:
            http.get("/flows").raise_for_status()
            vast.freeze()
            with ThreadPoolExecutor(12) as pool:
                held = [pool.submit(http.get, "/flows") for _ in range(12)]
                began = time.monotonic()
                wait_until(lambda: http.get("/readyz").status_code == 503, "the end of readiness", _PHASE_S)
                assert "tams_catalogue_up 0.0" in http.get("/metrics").text
                assert time.monotonic() - began < 2 * DEADLINE_S + 3
                assert http.get("/healthz").status_code == 200
                assert not any(each.done() for each in held)
                vast.thaw()
                wait_until(lambda: http.get("/readyz").status_code == 200, "readiness", _PHASE_S)
            assert {each.result().status_code for each in held} <= {200, 503}
