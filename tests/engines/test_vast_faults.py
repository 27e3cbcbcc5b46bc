"""Faults between the VAST engine and a cluster: no row is lost, duplicated or half written, and every call ends."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from storage.errors import Contended, Unavailable
from storage.tables import open_engine
from storage.tables.conditions import equals
from storage.tables.engine import Engine
from storage.tables.transaction import Writer
from tests.conformance.kit.polling import wait_until
from tests.engines.rows import flow_row
from tests.engines.trying import until_done
from tests.servers.vast import VastServer
from tests.vast_emulator import Emulator, Fault

LENGTH = 10
ROWS = 25


@pytest.fixture
def engine(emulator: Emulator) -> Iterator[Engine]:
    engine = open_engine(emulator.url("faulty") + "?timeout=2&patience=5&queue=no")
    wait_until(lambda: _is_created(engine), "the first connection", 60)
    yield engine
    emulator.faults.set([])
    engine.close()


def _is_created(engine: Engine) -> bool:
    """The engine does not retry its first connection, which may take longer than its timeout on a busy machine."""
    with suppress(Unavailable):
        engine.create()
        return True
    return False


def _row(start: int, object_id: str = "o") -> dict[str, Any]:
    common = {"flow_id": "f", "timerange": "_", "created": 0, "doc": {}}
    return {**common, "start_ns": start, "end_ns": start + LENGTH, "object_id": object_id}


def _put(start: int) -> Callable[[Writer], None]:
    """Inserts a segment unless it exists, as a client does that got no response to its first attempt."""

    def change(tx: Writer) -> None:
        tx.lock("flow:f")
        if tx.get("segments", flow_id="f", start_ns=start) is None:
            state = tx.get("flows", id="f")
            assert state is not None
            tx.update("flows", equals(id="f"), {"segments_updated": state["segments_updated"] + 1})
            tx.insert("segments", [_row(start)])

    return change


def _stored(engine: Engine) -> list[int]:
    with engine.read() as tx:
        return [row["start_ns"] for row in tx.select("segments", equals(flow_id="f"), order=("start_ns",))]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("latency", seconds=0.02),
        Fault("slowdown", chance=0.15),
        Fault("drop", chance=0.05),
        Fault("error", chance=0.05),
        Fault("lose-response", chance=0.05),
        Fault("lose-response", ("commit",), chance=0.5),
        Fault("gateway", chance=0.05, status=502),
        Fault("gateway", chance=0.05, status=404),
    ],
    ids=["latency", "slowdown", "drop", "error", "lost_responses", "lost_commits", "bad_gateway", "not_found"],
)
def test_no_row_is_lost_or_duplicated(emulator: Emulator, engine: Engine, fault: Fault) -> None:
    with engine.write() as tx:
        tx.insert("flows", [flow_row("f", segments_updated=0)])
    emulator.faults.set([fault])
    for number in range(ROWS):
        until_done(engine, _put(number * LENGTH))
    emulator.faults.set([])
    assert _stored(engine) == [number * LENGTH for number in range(ROWS)]
    with engine.read() as tx:
        flow = tx.get("flows", id="f")
    assert flow is not None
    assert flow["segments_updated"] == ROWS


@pytest.mark.parametrize("status", [301, 400, 403, 404, 429, 500, 502, 504])
@pytest.mark.parametrize("request_", ["begin", "select", "insert", "commit"])
def test_an_error_from_a_gateway_is_an_outage(emulator: Emulator, engine: Engine, request_: str, status: int) -> None:
    """Whatever its status: a gateway knows nothing about the catalogue."""
    emulator.faults.set([Fault("gateway", (request_,), status=status)])
    with pytest.raises(Unavailable), engine.write() as tx:
        tx.select("events", limit=1)
        tx.insert("events", [_event()])
    if request_ in ("begin", "select"):
        with pytest.raises(Unavailable), engine.read() as reader:
            reader.select("events")
    if request_ == "select":
        with pytest.raises(Unavailable), engine.read_once() as reader:
            reader.select("events")
    emulator.faults.set([])
    with engine.read() as reader:
        assert reader.select("events") == []


@pytest.mark.parametrize("locked", [True, False])
def test_a_commit_whose_response_is_lost_succeeds(emulator: Emulator, engine: Engine, locked: bool) -> None:
    emulator.faults.set([Fault("lose-response", ("commit",), times=1)])
    with engine.write() as tx:
        if locked:
            tx.lock("flow:f")
        tx.insert("segments" if locked else "events", [_row(0) if locked else _event()])
    with engine.read() as tx:
        assert len(tx.select("segments" if locked else "events")) == 1


@pytest.mark.parametrize("locked", [True, False])
def test_a_commit_that_never_arrived_can_be_retried(emulator: Emulator, engine: Engine, locked: bool) -> None:
    emulator.faults.set([Fault("drop", ("commit",), times=1)])
    with pytest.raises(Contended), engine.write() as tx:
        if locked:
            tx.lock("flow:f")
        tx.insert("segments" if locked else "events", [_row(0) if locked else _event()])
    with engine.read() as tx:
        assert tx.select("segments" if locked else "events") == []


@pytest.mark.parametrize("before", [0, 1])
def test_an_insert_succeeds_once_another_writer_releases_the_lock(
    emulator: Emulator, engine: Engine, before: int
) -> None:
    """The insert waits for its lock if nothing was written before; otherwise the whole transaction is retried."""
    other = open_engine(emulator.url("faulty") + "?queue=no")
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with suppress(Contended), other.write() as tx:  # Conflicts at the commit may strike this transaction.
            tx.lock("segments:f/0")
            held.set()
            release.wait(30)

    def change(tx: Writer) -> None:
        tx.insert("events", [_event()] * before, fresh=True)
        tx.insert("segments", [_row(0)])

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)
    threading.Timer(0.3, release.set).start()
    until_done(engine, change)
    thread.join()
    other.close()
    assert _stored(engine) == [0]
    with engine.read() as tx:
        assert len(tx.select("events")) == before


def test_a_failed_rollback_is_retried_until_it_frees_the_rows(emulator: Emulator, engine: Engine) -> None:
    """Other writers need not wait until the cluster ends the idle transaction."""
    with engine.write() as tx:
        tx.insert("flows", [flow_row("f", segments_updated=0)])
    emulator.faults.set([Fault("error", ("rollback",), times=3)])

    class Failure(Exception):
        pass

    with pytest.raises(Failure), engine.write() as tx:
        tx.lock("flow:f")
        assert tx.get("segments", flow_id="f", start_ns=0) is None  # Any read sends the change of the locked row first.
        raise Failure
    started = time.monotonic()
    until_done(engine, _put(0))
    assert time.monotonic() - started < 10
    assert _stored(engine) == [0]


@pytest.mark.parametrize("arrived", [True, False])
def test_the_locked_row_shows_whether_a_commit_succeeded(emulator: Emulator, engine: Engine, arrived: bool) -> None:
    """Even after another writer has changed it, and where the transaction inserted no row."""
    with engine.write() as tx:
        tx.insert("flows", [flow_row("f", segments_updated=0)])
    other = open_engine(emulator.url("faulty") + "?queue=no")
    fault = Fault("lose-response" if arrived else "drop", ("commit",), times=1)

    def change(tx: Writer) -> None:
        tx.lock("flow:f")
        tx.update("flows", equals(id="f"), {"segments_updated": 1})

    emulator.faults.set([fault])
    try:
        with engine.write() as tx:
            change(tx)
        reported = True
    except Contended:
        reported = False
    with other.write() as tx:
        tx.lock("flow:f")
        flow = tx.get("flows", id="f")
    other.close()
    assert flow is not None
    assert (reported, flow["segments_updated"]) == (arrived, int(arrived))


def _event() -> dict[str, Any]:
    return {"id": "e", "position": 1, "pending": True, "doc": {}}


@pytest.mark.parametrize("fault", [Fault("latency", seconds=30), Fault("slowdown"), Fault("error"), Fault("drop")])
def test_an_outage_is_reported_in_time_and_never_as_an_empty_list(
    emulator: Emulator, engine: Engine, fault: Fault
) -> None:
    with engine.write() as tx:
        tx.insert("segments", [_row(0)])
    emulator.faults.set([fault])
    started = time.monotonic()
    with pytest.raises(Unavailable), engine.read() as reader:
        reader.select("segments", equals(flow_id="f"))
    with pytest.raises(Unavailable), engine.write() as writer:
        writer.insert("segments", [_row(LENGTH)])
    assert time.monotonic() - started < 40
    emulator.faults.set([])
    assert _stored(engine) == [0]


def test_writers_on_different_machines_never_overlap(emulator: Emulator) -> None:
    """Their engines share no local queue, so that their transactions conflict on the cluster."""
    url = emulator.url("apart") + "?queue=no"
    first = open_engine(url)
    first.create()
    with first.write() as tx:
        tx.insert("flows", [flow_row("f", segments_updated=0)])
    appends, writers = 10, 5

    def append(tx: Writer) -> None:
        tx.lock("flow:f")
        last = tx.select("segments", equals(flow_id="f"), order=("start_ns",), descending=True, limit=1)
        tx.insert("segments", [_row(last[0]["end_ns"] if last else 0)])

    def work() -> None:
        engine = open_engine(url)
        for _ in range(appends):
            until_done(engine, append, tries=2000)
        engine.close()

    threads = [threading.Thread(target=work) for _ in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = _stored(first)
    first.close()
    assert len(stored) == appends * writers
    assert all(after - before == LENGTH for before, after in pairwise(stored))
    assert emulator.counters["409"] > 0


def test_acknowledged_rows_survive_a_kill_of_the_cluster(tmp_path: Path) -> None:
    """The emulator is killed while rows are written, and restarted from its log."""
    server = VastServer(tmp_path)
    server.start()
    engine = open_engine(server.url("killed") + "?patience=2")
    engine.create()
    acknowledged: list[int] = []
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            try:
                with engine.write() as tx:
                    tx.insert("segments", [_row(number * LENGTH)])
            except Unavailable:
                pass
            else:
                acknowledged.append(number * LENGTH)
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(2):
        before = len(acknowledged)
        deadline = time.monotonic() + 30
        while len(acknowledged) < before + 10 and time.monotonic() < deadline:
            time.sleep(0.01)
        server.kill()
        server.start()
    stop.set()
    thread.join()
    stored = _stored(engine)
    engine.close()
    server.kill()
    assert len(acknowledged) >= 20
    assert set(acknowledged) <= set(stored)
    assert len(set(stored)) == len(stored)
