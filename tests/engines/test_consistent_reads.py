"""Reads that show one moment; on VAST without a transaction where possible."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from vastdb import errors

from storage.errors import Unavailable
from storage.tables import open_engine
from storage.tables.conditions import equals
from storage.tables.engine import Engine
from storage.tables.transaction import Reader, Writer
from storage.tables.vast import query
from tests.engines.rows import flow_row
from tests.engines.trying import until_done
from tests.vast_emulator import Emulator, Fault
from tests.vast_emulator.errors import Rejection
from tests.vast_emulator.store import Transaction

SEGMENTS = 12
GENERATIONS = 40


def _segment(number: int, generation: int) -> dict[str, Any]:
    start = number * 10
    times = {"start_ns": start, "end_ns": start + 10, "timerange": "t", "created": generation}
    return {"flow_id": "f", "object_id": f"o{number}", "doc": {}, **times}


def _renew(tx: Writer, generation: int, *, flow: bool = False) -> None:
    """Replace all segments of the flow, an instance and, if `flow`, the flow; all record the generation."""
    tx.lock("flow:f")
    tx.delete("segments", equals(flow_id="f"))
    if flow:
        tx.delete("flows", equals(id="f"))
        tx.insert("flows", [flow_row("f", segments_updated=generation)])
    else:
        tx.update("flows", equals(id="f"), {"segments_updated": generation})
    tx.insert("segments", [_segment(number, generation) for number in range(SEGMENTS)])
    tx.delete("instances", equals(object_id="o0"))
    tx.insert("instances", [{"object_id": "o0", "instance": "i", "url": "u", "label": None, "created": generation}])


def _remove(tx: Writer) -> None:
    """Delete the flow and one of its segments; the others are left, as by a deletion in the background."""
    tx.lock("flow:f")
    tx.delete("flows", equals(id="f"))
    tx.delete("segments", [*equals(flow_id="f", start_ns=0)])


def _page(tx: Reader, between: Callable[[], None] = lambda: None) -> list[int]:
    """The generations in the flow, its segments and an instance; empty if the flow does not exist."""
    flow = tx.get("flows", id="f")
    if flow is None:
        return []
    between()
    segments = tx.select("segments", equals(flow_id="f"), order=("start_ns",), limit=100)
    between()
    instances = tx.select("instances", equals(object_id="o0"))
    assert len(segments) == SEGMENTS
    return [flow["segments_updated"], *(row["created"] for row in (*segments, *instances))]


@pytest.fixture
def other(engine_url: str, engine: Engine) -> Iterator[Engine]:
    """A second engine on the same database, in which a flow with segments exists."""
    with engine.write() as tx:
        tx.insert("flows", [flow_row("f", segments_updated=0)])
    until_done(engine, lambda tx: _renew(tx, 0))
    other = open_engine(engine_url)
    yield other
    other.close()


@pytest.mark.parametrize("flow", [False, True], ids=["segments", "flow"])
def test_a_page_shows_one_moment_while_others_write(engine: Engine, other: Engine, flow: bool) -> None:
    ended = threading.Event()

    def write() -> None:
        for generation in range(1, GENERATIONS):
            until_done(other, lambda tx: _renew(tx, generation, flow=flow))  # noqa: B023
        ended.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = set()
    while not ended.is_set():
        generations = set(engine.read_under("flow:f", _page))
        assert len(generations) == 1, generations
        seen |= generations
    thread.join()
    assert len(seen) > 2
    assert set(engine.read_under("flow:f", _page)) == {GENERATIONS - 1}


@pytest.mark.parametrize("when", [0, 1], ids=["before_its_segments", "before_its_instances"])
@pytest.mark.parametrize(
    "change", [lambda tx: _renew(tx, 1), lambda tx: _renew(tx, 1, flow=True), _remove], ids=["new", "remade", "deleted"]
)
def test_a_change_between_two_reads_is_seen_whole_or_not_at_all(
    engine: Engine, other: Engine, change: Callable[[Writer], None], when: int
) -> None:
    turns: list[int] = []

    def between() -> None:
        turns.append(len(turns))
        if turns[-1] == when:
            until_done(other, change)

    # An engine may notice the change afterwards and read again, or not see it at all.
    generations = engine.read_under(
        "flow:f", lambda tx: _page(tx, between) if not turns or turns[-1] < when else _page(tx)
    )
    assert generations in ([], [0] * (SEGMENTS + 2), [1] * (SEGMENTS + 2))


def test_reading_the_lock_row_last_still_shows_one_moment(engine: Engine, other: Engine) -> None:
    attempts: list[int] = []

    def read(tx: Reader) -> set[int]:
        attempts.append(len(attempts))
        segments = tx.select("segments", equals(flow_id="f"))
        if len(attempts) == 1:
            until_done(other, lambda tx: _renew(tx, 1))
        flow = tx.get("flows", id="f")
        assert flow is not None
        return {flow["segments_updated"], *(row["created"] for row in segments)}

    assert len(engine.read_under("flow:f", read)) == 1


def _create_flow(tx: Writer, generation: int) -> None:
    """A flow that nobody has locked yet, with its segments and an instance."""
    tx.insert("flows", [flow_row("f", segments_updated=generation)])
    tx.insert("segments", [_segment(number, generation) for number in range(SEGMENTS)])
    tx.insert("instances", [{"object_id": "o0", "instance": "i", "url": "u", "label": None, "created": generation}])


def _delete_flow(tx: Writer) -> None:
    for table, where in (("flows", equals(id="f")), ("segments", equals(flow_id="f")), ("instances", ())):
        tx.delete(table, where)


def test_a_recreated_flow_is_distinguished_from_the_deleted_one(engine: Engine, engine_url: str) -> None:
    other = open_engine(engine_url)
    until_done(engine, lambda tx: _create_flow(tx, 0))
    turns: list[int] = []

    def between() -> None:
        turns.append(len(turns))
        if len(turns) == 1:
            until_done(other, _delete_flow)
            until_done(other, lambda tx: _create_flow(tx, 1))

    generations = engine.read_under("flow:f", lambda tx: _page(tx, between))
    other.close()
    assert len(set(generations)) == 1


def test_an_error_caused_by_a_partly_seen_change_is_not_raised(engine: Engine, other: Engine) -> None:
    attempts: list[int] = []

    def read(tx: Reader) -> int:
        attempts.append(len(attempts))
        flow = tx.get("flows", id="f")
        assert flow is not None
        if len(attempts) == 1:
            until_done(other, lambda tx: _renew(tx, 1))
        if any(row["created"] != flow["segments_updated"] for row in tx.select("segments", equals(flow_id="f"))):
            raise LookupError
        return int(flow["segments_updated"])

    assert engine.read_under("flow:f", read) in (0, 1)
    with pytest.raises(LookupError):
        engine.read_under("flow:f", _fail)


def _fail(tx: Reader) -> None:
    tx.get("flows", id="f")
    tx.select("segments", equals(flow_id="f"))
    raise LookupError


def test_a_single_read_sees_only_what_is_committed(engine: Engine, other: Engine) -> None:
    with engine.write() as tx:
        tx.insert("service", [{"key": "k", "value": 1}])
        with other.read_once() as read_once:
            assert read_once.get("service", key="k") is None
    with other.read_once() as read_once:
        assert read_once.get("service", key="k") == {"key": "k", "value": 1}


def test_a_transaction_after_a_single_read_sees_one_moment(engine: Engine, other: Engine) -> None:
    with engine.read_once() as read_once:
        assert read_once.get("flows", id="f") is not None
    with engine.read() as tx:
        before = _page(tx)
        until_done(other, lambda tx: _renew(tx, 1))
        assert _page(tx) == before


@pytest.fixture
def vast(emulator: Emulator) -> Iterator[Engine]:
    engine = open_engine(emulator.url("direct"))
    engine.create()
    with engine.write() as tx:
        tx.insert("flows", [flow_row("f", segments_updated=0)])
    until_done(engine, lambda tx: _renew(tx, 0))
    yield engine
    emulator.faults.set([])
    engine.close()


def _counted(emulator: Emulator, engine: Engine) -> dict[str, int]:
    """The requests of a page, without the rollback in the background."""
    emulator.counters.clear()
    assert set(engine.read_under("flow:f", _page)) == {0}
    return {kind: emulator.counters[kind] for kind in ("begin", "select")}


def test_a_page_uses_no_transaction_unless_the_url_says_so(emulator: Emulator, vast: Engine) -> None:
    assert _counted(emulator, vast) == {"begin": 0, "select": 4}
    other = open_engine(emulator.url("direct") + "?direct=no")
    assert _counted(emulator, other) == {"begin": 1, "select": 3}
    other.close()


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 501])
def test_direct_reads_are_tried_only_once_if_the_cluster_rejects_them(
    emulator: Emulator, vast: Engine, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Whatever its error status."""
    emulator.direct_reads = False
    transaction = emulator.store.transaction

    def reject(id_: int) -> Transaction:
        if id_ == 0:
            raise Rejection(status, "TabularNoTransaction", "0 is no transaction")
        return transaction(id_)

    monkeypatch.setattr(emulator.store, "transaction", reject)
    assert _counted(emulator, vast)["begin"] == 1
    assert _counted(emulator, vast) == {"begin": 1, "select": 3}


def test_a_temporary_error_does_not_disable_direct_reads(emulator: Emulator, vast: Engine) -> None:
    emulator.faults.set([Fault("error", ("select",), times=1)])
    assert _counted(emulator, vast)["begin"] == 1
    assert _counted(emulator, vast) == {"begin": 0, "select": 4}


def test_an_error_that_also_occurs_in_a_transaction_does_not_disable_direct_reads(emulator: Emulator) -> None:
    engine = open_engine(emulator.url("late"))
    with pytest.raises(errors.NotFound), engine.read_once() as read_once:
        read_once.get("flows", id="f")
    engine.create()
    emulator.counters.clear()
    with engine.read_once() as read_once:
        assert read_once.get("flows", id="f") is None
    engine.close()
    assert emulator.counters["begin"] == 0


def test_a_direct_read_fails_as_fast_as_a_transaction_in_an_outage(emulator: Emulator, vast: Engine) -> None:
    """So that the threads of a server are soon free to report that its catalogue is unavailable."""
    emulator.faults.set([Fault("drop")])
    began = time.monotonic()
    with pytest.raises(Unavailable), vast.read_once() as read_once:
        read_once.get("flows", id="f")
    assert time.monotonic() - began < 2


def test_a_response_in_parts_is_read_again_in_a_transaction(
    emulator: Emulator, vast: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part could show another moment."""
    monkeypatch.setattr(query, "_PAGE_ROWS", SEGMENTS // 3)
    emulator.counters.clear()
    with vast.read_once() as read_once:
        assert len(read_once.select("segments", equals(flow_id="f"))) == SEGMENTS
    assert emulator.counters["begin"] == 1


@pytest.mark.parametrize("kind", ["slowdown", "drop", "lose-response"])
def test_a_failed_read_is_retried(emulator: Emulator, vast: Engine, kind: str) -> None:
    emulator.faults.set([Fault(kind, ("select",), times=2)])
    with vast.read_once() as read_once:
        row = read_once.get("flows", id="f")
    assert row is not None and row["segments_updated"] == 0
