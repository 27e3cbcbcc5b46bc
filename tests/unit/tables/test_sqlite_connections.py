"""Connections to an SQLite file are kept for their next use, but not those that nobody uses any more."""

import sqlite3
from pathlib import Path

import pytest

from storage.tables import sqlite_connections
from storage.tables.sqlite_connections import Connections
from storage.tables.sqlite_identity import DatabaseFile


class _Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    perf_counter = monotonic


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(sqlite_connections, "time", clock)
    return clock


@pytest.fixture
def connections(tmp_path: Path) -> Connections:
    file = DatabaseFile(tmp_path / "catalog.db")
    file.create()
    return Connections(file)


def is_open(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return False
    return True


def test_connections_of_a_peak_are_closed_and_those_in_use_are_not(connections: Connections, clock: _Clock) -> None:
    peak = [connections.borrow() for _ in range(5)]
    for connection in peak:
        connections.give_back(connection)
    for _ in range(20):
        clock.now += 4
        connection = connections.borrow()
        assert connection is peak[-1]
        connections.give_back(connection)
    assert [is_open(connection) for connection in peak] == [False] * 4 + [True]


def test_the_only_connection_stays_open_however_long_it_was_not_used(connections: Connections, clock: _Clock) -> None:
    connection = connections.borrow()
    connections.give_back(connection)
    clock.now += 100_000
    assert connections.borrow() is connection
    connections.give_back(connection)
    assert is_open(connection)
