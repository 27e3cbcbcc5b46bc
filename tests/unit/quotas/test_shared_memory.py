"""What the processes of a server count together: buckets, and numbers at a time."""

import os
import signal
from collections.abc import Callable

import pytest

from tams_server.quotas import shared_counts, shared_table
from tams_server.quotas.shared_buckets import SharedBuckets, Verdict
from tams_server.quotas.shared_counts import SharedCounts
from tests.unit.quotas.clock import Clock


def in_child(function: Callable[[], object], *, killed: bool = False) -> None:
    """Call a function in a forked process, which then ends or is killed, and wait for that."""
    child = os.fork()
    if not child:
        function()
        if killed:
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(0)
    os.waitpid(child, 0)


def test_a_window_of_units_may_be_taken_at_once() -> None:
    clock = Clock()
    buckets = SharedBuckets(clock=clock)
    assert [buckets.take("a", 4).remaining for _ in range(4)] == [3, 2, 1, 0]
    assert buckets.take("a", 4) == Verdict(False, 0, pytest.approx(0.25))  # type: ignore[arg-type]
    assert buckets.take("b", 4).permitted
    clock.now += 0.25
    assert buckets.take("a", 4).permitted
    assert not buckets.take("a", 4).permitted
    clock.now += 60
    assert buckets.take("a", 4).remaining == 3


def test_a_rate_is_kept_over_time() -> None:
    clock = Clock()
    buckets = SharedBuckets(clock=clock)
    permitted = 0
    for _ in range(1000):
        clock.now += 0.01
        permitted += buckets.take("a", 10).permitted
    assert 100 <= permitted <= 111


def test_what_is_taken_beyond_the_rest_is_owed() -> None:
    clock = Clock()
    buckets = SharedBuckets(100, clock)
    assert buckets.take("a", 10, 9).remaining == 1
    assert buckets.take("a", 10, 6).remaining == 0
    assert buckets.take("a", 10) == Verdict(False, 0, pytest.approx(60))  # type: ignore[arg-type]
    clock.now += 60
    assert buckets.take("a", 10).permitted


def test_units_that_are_given_back_can_be_taken_again() -> None:
    buckets = SharedBuckets(100, Clock())
    buckets.take("a", 10, 10)
    buckets.adjust("a", 10, -4)
    assert buckets.take("a", 10).remaining == 3
    buckets.adjust("a", 10, 3)
    assert not buckets.take("a", 10).permitted


def test_processes_share_the_buckets() -> None:
    buckets = SharedBuckets()
    in_child(lambda: buckets.take("a", 1))
    assert not buckets.take("a", 1).permitted


def test_any_number_of_keys_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_table, "_SETS", 4)
    buckets = SharedBuckets(clock=Clock())
    assert all(buckets.take(f"key {number}", 1).permitted for number in range(100))
    assert not buckets.take("key 99", 1).permitted


def test_a_number_at_a_time_is_counted() -> None:
    counts = SharedCounts(4)
    with counts.one("a", 2) as first, counts.one("a", 2) as second:
        assert first and second
        with counts.one("a", 2) as third, counts.one("b", 2) as other:
            assert not third
            assert other
    with counts.one("a", 1) as again:
        assert again


def test_processes_count_together() -> None:
    counts = SharedCounts(4)
    seen_by, tell = os.pipe()

    def count_another() -> None:
        with counts.one("a", 2) as second, counts.one("a", 2) as third:
            os.write(tell, bytes([second, third]))

    with counts.one("a", 2):
        in_child(count_another)
    assert os.read(seen_by, 2) == bytes([True, False])


def test_what_a_killed_process_counted_is_void() -> None:
    counts = SharedCounts(4)

    def begin() -> None:
        for _ in range(3):
            assert counts.one("a", 3).__enter__()

    for _ in range(3):
        in_child(begin, killed=True)
        with counts.one("a", 1) as permitted:
            assert permitted


def test_a_process_that_lives_keeps_what_it_counts() -> None:
    counts = SharedCounts(4)
    ready, tell = os.pipe()
    wait, release = os.pipe()
    child = os.fork()
    if not child:
        with counts.one("a", 1):
            os.write(tell, b".")
            os.read(wait, 1)
        os._exit(0)
    os.read(ready, 1)
    with counts.one("a", 1) as permitted:
        assert not permitted
    os.write(release, b".")
    os.waitpid(child, 0)
    with counts.one("a", 1) as permitted:
        assert permitted


def test_more_processes_than_columns_are_an_error() -> None:
    counts = SharedCounts(1)
    with counts.one("a", 1):
        seen_by, tell = os.pipe()

        def begin() -> None:
            try:
                counts.one("a", 1).__enter__()
            except OSError:
                os.write(tell, b"error")

        in_child(begin)
        assert os.read(seen_by, 5) == b"error"


def test_keys_that_find_no_place_are_not_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_counts, "_SETS", 1)
    counts = SharedCounts(2)
    begun = [counts.one(f"key {number}", 1) for number in range(10)]
    assert all(each.__enter__() for each in begun)
    for each in begun:
        each.__exit__(None, None, None)
    with counts.one("another", 1) as permitted:
        assert permitted
