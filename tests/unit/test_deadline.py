"""Calls with a deadline."""

import threading
import time

import pytest

from storage.errors import Unavailable
from tams_server.deadline import CallWithDeadline


def test_a_result_is_cached_for_a_second() -> None:
    calls: list[int] = []
    call = CallWithDeadline(lambda: calls.append(1) or len(calls))
    assert [call.get(), call.get()] == [1, 1]
    time.sleep(1.1)
    assert call.get() == 2


def test_an_exception_is_raised_for_every_thread_that_waits() -> None:
    def fail() -> None:
        raise Unavailable("the database is down")

    call = CallWithDeadline(fail)
    for _ in range(2):
        with pytest.raises(Unavailable, match="the database is down"):
            call.get()


def test_a_hanging_call_is_unavailable_at_its_deadline_and_is_not_repeated() -> None:
    release, calls = threading.Event(), []

    def hang() -> str:
        calls.append(1)
        release.wait(30)
        return "done"

    call = CallWithDeadline(hang, deadline_s=0.2)
    started = time.monotonic()
    for _ in range(5):
        with pytest.raises(Unavailable, match="not responding"):
            call.get()
    assert time.monotonic() - started < 2
    assert len(calls) == 1
    release.set()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            assert call.get() == "done"
            break
        except Unavailable:
            time.sleep(0.01)
    assert len(calls) == 1
