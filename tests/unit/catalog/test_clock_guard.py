"""Nothing is deleted because of one jump of the clock; see also test_clock_steps."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.catalog.clock_guard import ClockGuard
from storage.tables import open_engine
from storage.tables.engine import Engine

PAUSE_S = 660


class Times:
    """The clock of a machine, and the time that passes."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.passed = 5000.0

    def sleep(self, seconds: float) -> None:
        self.wall += seconds
        self.passed += seconds

    def guard(self, engine: Engine) -> ClockGuard:
        return ClockGuard(engine, PAUSE_S, lambda: int(self.wall * 1_000_000), lambda: self.passed)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
    engine.create()
    yield engine
    engine.close()


@pytest.fixture
def times() -> Times:
    return Times()


def test_deletions_go_on_while_the_clock_goes_with_the_time(engine: Engine, times: Times) -> None:
    guard = times.guard(engine)
    for _ in range(100):
        assert guard.time_for_deletions()
        times.sleep(7)
        times.wall += 0.5  # it is being adjusted


@pytest.mark.parametrize("jump_s", [60, 3600, 400 * 86_400])
def test_a_jump_forwards_holds_deletions_up_for_as_long_as_an_allocation_lives(
    engine: Engine, times: Times, jump_s: float
) -> None:
    guard = times.guard(engine)
    assert guard.time_for_deletions()
    times.sleep(5)
    times.wall += jump_s
    ended = times.passed + PAUSE_S
    while times.passed < ended:
        assert not guard.time_for_deletions()
        times.sleep(6)
    assert guard.time_for_deletions()


def test_a_jump_is_noticed_by_the_next_process(engine: Engine, times: Times) -> None:
    assert times.guard(engine).time_for_deletions()
    times.sleep(5)
    times.wall += 3600
    assert not times.guard(engine).time_for_deletions()
    times.sleep(PAUSE_S / 2)
    restarted = times.guard(engine)
    assert not restarted.time_for_deletions(), "the pause begins again"
    times.sleep(PAUSE_S)
    assert restarted.time_for_deletions()
    assert times.guard(engine).time_for_deletions()


def test_a_restart_holds_nothing_up(engine: Engine, times: Times) -> None:
    guard = times.guard(engine)
    for _ in range(30):
        assert guard.time_for_deletions()
        times.sleep(6)
    times.sleep(5)
    times.passed = 0.0  # the machine was restarted
    assert times.guard(engine).time_for_deletions()


def test_a_clock_that_is_set_back_holds_nothing_up(engine: Engine, times: Times) -> None:
    guard = times.guard(engine)
    assert guard.time_for_deletions()
    times.wall -= 3600
    assert guard.time_for_deletions()
    assert times.guard(engine).time_for_deletions()


def test_small_gains_add_up(engine: Engine, times: Times) -> None:
    guard = times.guard(engine)
    permitted = []
    for _ in range(5):
        permitted.append(guard.time_for_deletions() is not None)
        times.sleep(5)
        times.wall += 6
    assert permitted == [True, True, False, False, False]
    times.sleep(PAUSE_S)
    assert guard.time_for_deletions()


def test_a_jump_after_a_quick_restart_is_noticed(engine: Engine, times: Times) -> None:
    assert times.guard(engine).time_for_deletions()
    times.sleep(5)
    restarted = times.guard(engine)
    assert restarted.time_for_deletions()
    times.sleep(5)
    times.wall += 30
    assert not restarted.time_for_deletions()


def test_a_clock_that_is_set_right_after_the_installation_is_noticed(engine: Engine, times: Times) -> None:
    times.guard(engine).begin()
    times.wall += 86_400
    assert times.guard(engine).time_for_deletions() is None


def test_a_start_leaves_the_time_that_was_recorded(engine: Engine, times: Times) -> None:
    assert times.guard(engine).time_for_deletions()
    times.wall += 86_400
    times.guard(engine).begin()
    assert times.guard(engine).time_for_deletions() is None
