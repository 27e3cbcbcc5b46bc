"""Writers that wait for each other share one commit, and nothing else."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.errors import Unavailable
from storage.tables import group_commit
from storage.tables.group_commit import GroupCommit

DEADLINE_S = 30.0


class Connection(sqlite3.Connection):
    """Records what is executed. fails: statements that raise `error` instead."""

    error: BaseException = sqlite3.OperationalError("disk I/O error")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.executed: list[str] = []
        self.fails: set[str] = set()

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self.executed.append(sql.split()[0])
        if sql in self.fails:
            raise self.error
        return super().execute(sql, *args)


class Writers:
    """Threads that write by a group commit. Each one's block waits until the test lets it end."""

    def __init__(self, file: Path) -> None:
        self.connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, factory=Connection)
        self.connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY) WITHOUT ROWID")
        self.connection.executed.clear()
        self.group = GroupCommit(self._begin)
        self.outcomes: dict[int, str] = {}
        self._threads: list[threading.Thread] = []
        self._held: dict[int, threading.Event] = {}
        self._inside: dict[int, threading.Event] = {}
        self._file = file

    @contextlib.contextmanager
    def _begin(self) -> Iterator[sqlite3.Connection]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        finally:
            if self.connection.in_transaction:
                self.connection.rollback()

    def write(self, number: int, *, fail: BaseException | None = None, row: int | None = None) -> None:
        """A writer that inserts a row by its number. It is inside its block, or waits for its turn."""
        self._held[number], self._inside[number] = threading.Event(), threading.Event()

        def run() -> None:
            try:
                with self.group.transaction() as connection:
                    self._inside[number].set()
                    assert self._held[number].wait(DEADLINE_S)
                    connection.execute("INSERT INTO t VALUES (?)", [number if row is None else row])
                    if fail is not None:
                        raise fail
                self.outcomes[number] = "done"
            except Exception as error:
                self.outcomes[number] = type(error).__name__

        waiting = len(self.group._waiting)
        thread = threading.Thread(target=run)
        self._threads.append(thread)
        thread.start()
        _until(lambda: self._inside[number].is_set() or len(self.group._waiting) > waiting)

    def end(self, number: int) -> None:
        """Let a block end, once it has begun."""
        assert self._inside[number].wait(DEADLINE_S)
        self._held[number].set()

    def end_all(self) -> dict[int, str]:
        for number in self._held:
            self._held[number].set()
        for thread in self._threads:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()
        return self.outcomes

    def is_inside(self, number: int) -> None:
        assert self._inside[number].wait(DEADLINE_S)

    def durable(self) -> list[int]:
        with contextlib.closing(sqlite3.connect(self._file)) as other:
            return [n for (n,) in other.execute("SELECT n FROM t ORDER BY n")]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def writers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writers]:
    monkeypatch.setattr(group_commit, "_MAX_AGE_S", DEADLINE_S)
    writers = Writers(tmp_path / "db")
    yield writers
    writers.end_all()
    writers.connection.close()


def test_a_lone_writer_has_no_savepoint(writers: Writers) -> None:
    writers.write(1)
    assert writers.end_all() == {1: "done"}
    assert writers.connection.executed == ["BEGIN", "INSERT", "COMMIT"]


def test_writers_that_wait_share_a_commit(writers: Writers) -> None:
    for number in range(4):
        writers.write(number)
    assert writers.end_all() == dict.fromkeys(range(4), "done")
    assert writers.durable() == [0, 1, 2, 3]
    assert writers.connection.executed.count("COMMIT") == 1


def test_no_writer_returns_before_the_commit(writers: Writers) -> None:
    for number in (1, 2, 3):
        writers.write(number)
    writers.end(1)
    writers.end(2)
    writers.is_inside(3)
    assert writers.outcomes == {}
    assert writers.durable() == []
    assert set(writers.end_all()) == {1, 2, 3}
    assert writers.durable() == [1, 2, 3]


def test_a_writer_that_raises_takes_nobody_with_it(writers: Writers) -> None:
    writers.write(1)
    writers.write(2, fail=ValueError())
    writers.write(3)
    assert writers.end_all() == {1: "done", 2: "ValueError", 3: "done"}
    assert writers.durable() == [1, 3]
    assert writers.connection.executed.count("COMMIT") == 1


def test_an_error_is_raised_only_once_its_cause_is_durable(writers: Writers) -> None:
    """The second finds the row that the first has not committed yet."""
    writers.write(1)
    writers.write(2, row=1)
    writers.write(3)
    writers.end(1)
    writers.end(2)
    writers.is_inside(3)
    assert writers.outcomes == {}
    assert writers.end_all() == {1: "done", 2: "IntegrityError", 3: "done"}


def test_the_error_of_the_last_writer_does_not_keep_the_others_from_being_committed(writers: Writers) -> None:
    writers.write(1)
    writers.write(2, fail=ValueError())
    assert writers.end_all() == {1: "done", 2: "ValueError"}
    assert writers.durable() == [1]


def test_the_error_of_the_first_writer_is_raised_at_once(writers: Writers) -> None:
    writers.write(1, fail=ValueError())
    writers.write(2)
    writers.end(1)
    writers.is_inside(2)
    _until(lambda: writers.outcomes == {1: "ValueError"})
    assert writers.end_all() == {1: "ValueError", 2: "done"}
    assert writers.durable() == [2]
    assert writers.connection.executed.count("BEGIN") == 2


def test_if_the_commit_fails_every_writer_fails(writers: Writers) -> None:
    """One whose block raised as well: its error may have been due to what is not there now."""
    writers.connection.fails.add("COMMIT")
    writers.write(1)
    writers.write(2, row=1)
    writers.write(3)
    assert writers.end_all() == dict.fromkeys((1, 2, 3), "Unavailable")
    assert writers.durable() == []
    writers.connection.fails.clear()
    writers.write(4)
    assert writers.end_all()[4] == "done"
    assert writers.durable() == [4]


def test_a_commit_that_runs_out_of_memory_keeps_nobody_waiting(writers: Writers) -> None:
    """SQLite raises MemoryError then, which is none of its own errors."""
    writers.connection.fails.add("COMMIT")
    writers.connection.error = MemoryError()
    writers.write(1)
    writers.write(2)
    assert writers.end_all() == {1: "Unavailable", 2: "MemoryError"}
    writers.connection.fails.clear()
    writers.write(3)
    assert writers.end_all()[3] == "done"
    assert writers.durable() == [3]


def test_a_member_that_cannot_be_rolled_back_for_lack_of_memory_fails_its_group(writers: Writers) -> None:
    writers.connection.fails.add("ROLLBACK TO member")
    writers.connection.error = MemoryError()
    writers.write(1)
    writers.write(2, fail=ValueError())
    assert writers.end_all() == dict.fromkeys((1, 2), "Unavailable")
    writers.write(3)
    assert writers.end_all()[3] == "done"
    assert writers.durable() == [3]


@pytest.mark.parametrize("statement", ["SAVEPOINT member", "ROLLBACK TO member", "RELEASE member"])
def test_if_a_savepoint_fails_its_writer_does_not_report_success(writers: Writers, statement: str) -> None:
    writers.connection.fails.add(statement)
    writers.write(1)
    writers.write(2, fail=ValueError() if statement.startswith("ROLLBACK") else None)
    assert writers.end_all()[2] != "done"
    assert writers.durable() == ([1] if writers.outcomes[1] == "done" else [])


def test_if_the_database_rolls_back_by_itself_the_whole_group_fails(writers: Writers) -> None:
    """As SQLite does when the disk is full, on some errors of I/O, and out of memory."""
    writers.write(1)
    writers.write(2)
    writers.write(3)
    writers.end(1)
    writers.is_inside(2)
    writers.connection.rollback()
    outcomes = writers.end_all()
    assert outcomes[1] == outcomes[2] == "Unavailable"
    assert outcomes[3] == "done"
    assert 1 not in writers.durable()


def test_a_group_does_not_outgrow_its_limits(writers: Writers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "_MAX_MEMBERS", 2)
    for number in range(6):
        writers.write(number)
    writers.end_all()
    assert writers.connection.executed.count("COMMIT") == 3


def test_an_old_group_is_committed_although_others_wait(writers: Writers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "_MAX_AGE_S", 0)
    for number in range(3):
        writers.write(number)
    writers.end_all()
    assert writers.connection.executed.count("COMMIT") == 3


def test_if_a_transaction_cannot_begin_the_next_writer_tries(writers: Writers) -> None:
    writers.write(1)
    writers.write(2)
    writers.connection.fails.add("BEGIN IMMEDIATE")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_commit, "_MAX_MEMBERS", 1)
        assert writers.end_all() == {1: "done", 2: "OperationalError"}
    writers.connection.fails.clear()
    writers.write(3)
    assert writers.end_all()[3] == "done"


@pytest.mark.parametrize("has_turn", [False, True])
def test_a_writer_interrupted_while_it_waits_keeps_nobody_from_going_on(
    writers: Writers, monkeypatch: pytest.MonkeyPatch, has_turn: bool
) -> None:
    plain = group_commit._Turn.wait

    def interrupted(turn: group_commit._Turn) -> None:
        if has_turn:
            plain(turn)
        raise ValueError

    writers.write(1)
    monkeypatch.setattr(group_commit._Turn, "wait", interrupted)
    thread = threading.Thread(target=_try, args=[writers])
    thread.start()
    _until(lambda: bool(writers.group._waiting) or not thread.is_alive())
    monkeypatch.setattr(group_commit._Turn, "wait", plain)
    writers.write(2)
    assert writers.end_all() == {1: "done", 2: "done"}
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert writers.durable() == [1, 2]


def _try(writers: Writers) -> None:
    with contextlib.suppress(ValueError), writers.group.transaction():
        raise AssertionError


def test_many_writers_with_errors_lose_and_invent_nothing(writers: Writers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "_MAX_AGE_S", 0.002)
    done: list[int] = []
    failed: list[int] = []

    def run(first: int) -> None:
        for number in range(first, 800, 8):
            try:
                with writers.group.transaction() as connection:
                    connection.execute("INSERT INTO t VALUES (?)", [number])
                    if number % 5 == 0:
                        raise ValueError
                done.append(number)
            except (ValueError, Unavailable):
                failed.append(number)

    threads = [threading.Thread(target=run, args=[first]) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert sorted(failed) == list(range(0, 800, 5))
    assert writers.durable() == sorted(done)
    assert writers.connection.executed.count("COMMIT") < 640
