"""The probe of a VAST cluster: it confirms what the engine needs, and detects clusters that behave differently."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from storage.tables import open_engine
from storage.tables.vast import VastEngine
from storage.tables.vast.probe import allow_several_writers, probe
from tests.vast_emulator import Emulator
from tests.vast_emulator.store import Table, Transaction


@pytest.fixture
def engine(emulator: Emulator) -> Iterator[VastEngine]:
    engine = open_engine(emulator.url("checked"))
    assert isinstance(engine, VastEngine)
    engine.create()
    yield engine
    engine.close()


def test_the_probe_confirms_what_the_engine_needs(emulator: Emulator, engine: VastEngine) -> None:
    results = probe(engine)
    for result in results:
        print(f"{'yes' if result.holds else 'NO ':4} {result.name}: {result.fact}")
    assert all(result.holds for result in results)
    assert allow_several_writers(results)
    where = "update" if emulator.store.mode == "statement" else "commit"
    assert f"at its {where}" in results[0].fact
    assert f"rejected at the {where}" in results[2].fact
    assert not any(path[-1].startswith("probe") for path in emulator.store.definitions)


def _tables(emulator: Emulator) -> list[Table]:
    return [table for table in emulator.store.definitions.values() if table is not None]


def _before_each_change(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, call: Callable[[], None]) -> None:
    """Call `call` before each update and commit on the emulator."""

    def wrapped(operation: Callable[..., None]) -> Callable[..., None]:
        def perform(*arguments: object) -> None:
            call()
            operation(*arguments)

        return perform

    for name in ("update", "commit"):
        monkeypatch.setattr(emulator.operations, name, wrapped(getattr(emulator.operations, name)))


def test_the_probe_disallows_several_writers_where_the_last_one_wins(
    engine: VastEngine, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster that lets both transactions commit: the emulator is made to forget who changed a row."""

    def forget() -> None:
        for table in _tables(emulator):
            table.rows.changed.clear()
            table.rows.writers.clear()

    _before_each_change(emulator, monkeypatch, forget)
    results = probe(engine)
    assert [result.holds for result in results[:4]] == [False] * 4
    assert "neither" in results[0].fact
    assert not allow_several_writers(results)


def test_the_probe_disallows_several_writers_where_only_open_transactions_conflict(
    engine: VastEngine, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster whose row locks end with their transaction, and which does not remember later changes."""

    def forget() -> None:
        for table in _tables(emulator):
            table.rows.changed.clear()

    _before_each_change(emulator, monkeypatch, forget)
    results = probe(engine)
    if emulator.store.mode == "statement":
        assert [result.holds for result in results[:2]] == [True, True]
    assert [result.holds for result in results[2:4]] == [False, False]
    assert "accepted" in results[2].fact
    assert not allow_several_writers(results)


_DIRECT_READ_CHECKS = ("reads of a plain table", "reads of a sorted table", "a commit becomes visible")


def _failed_direct_reads(engine: VastEngine) -> list[str]:
    """The facts of the checks of direct reads, all of which must fail while all other checks succeed."""
    results = probe(engine)
    direct = [result for result in results if result.name.startswith(_DIRECT_READ_CHECKS)]
    assert all(result.holds for result in results if result not in direct)
    assert allow_several_writers(results)
    assert not any(result.holds for result in direct)
    return [result.fact for result in direct]


def test_the_probe_detects_that_reads_need_a_transaction(emulator: Emulator, engine: VastEngine) -> None:
    emulator.direct_reads = False
    plain, sorted_, visibility = _failed_direct_reads(engine)
    assert plain.startswith("rejected, so every read will use a transaction")
    assert sorted_.startswith("rejected, so every read will use a transaction")
    assert visibility.startswith("not tried")


def test_the_probe_detects_late_direct_reads(
    emulator: Emulator, engine: VastEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster whose direct reads show commits late, and every other one later still."""
    current, numbers = emulator.store.current_view, itertools.count()

    def late() -> Transaction:
        view = current()
        return replace(view, snapshot=view.snapshot - (2 if next(numbers) % 2 else 1))

    emulator.store.begin()  # An open transaction keeps old versions of rows.
    monkeypatch.setattr(emulator.store, "current_view", late)
    for fact in _failed_direct_reads(engine):
        assert "set ?direct=no" in fact


def test_the_probe_detects_direct_reads_that_see_nothing(
    emulator: Emulator, engine: VastEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = emulator.store.current_view
    monkeypatch.setattr(emulator.store, "current_view", lambda: replace(current(), snapshot=0))
    results = [result for result in probe(engine) if result.name.startswith(_DIRECT_READ_CHECKS[:2])]
    assert [result.holds for result in results] == [False, False]
    assert all("None before a commit" in result.fact for result in results)
