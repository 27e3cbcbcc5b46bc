"""Answers that come soon, whatever hangs."""

import threading
import time

import pytest

from storage.errors import Unavailable
from tams_server.deadline import CallWithDeadline


def test_an_outcome_is_kept_for_a_moment() -> None:
    calls: list[int] = []
    asked = CallWithDeadline(lambda: calls.append(1) or len(calls))
    assert [asked.get(), asked.get()] == [1, 1]
    time.sleep(1.1)
    assert asked.get() == 2


def test_a_failure_is_told_to_all_who_ask() -> None:
    def fail() -> None:
        raise Unavailable("it is away")

    asked = CallWithDeadline(fail)
    for _ in range(2):
        with pytest.raises(Unavailable, match="it is away"):
            asked.get()


def test_nobody_waits_for_a_call_that_hangs_and_there_is_only_one() -> None:
    release, calls = threading.Event(), []

    def hang() -> str:
        calls.append(1)
        release.wait(30)
        return "done"

    asked = CallWithDeadline(hang, patience_s=0.2)
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(Unavailable, match="does not answer"):
            asked.get()
    assert time.monotonic() - began < 2
    assert len(calls) == 1
    release.set()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            assert asked.get() == "done"
            break
        except Unavailable:
            time.sleep(0.01)
    assert len(calls) == 1
