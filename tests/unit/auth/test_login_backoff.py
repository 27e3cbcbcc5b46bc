"""The back-off after wrong passwords, and the queue in which passwords are compared."""

import os
import threading
from collections.abc import Callable

import pytest

from storage.catalog.passwords import NO_PASSWORD
from tams_server.auth import password_checks
from tams_server.auth.login_backoff import BackOff, LoginBackOff
from tams_server.auth.machine_turns import MachineTurns
from tams_server.auth.password_checks import QUEUE, PasswordChecks
from tams_server.errors import TooManyRequests
from tams_server.quotas import shared_table


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_pauses_double_after_the_free_failures(clock: Clock) -> None:
    backoff = BackOff(3, 10, clock)
    pauses = []
    for _ in range(8):
        backoff.add("a")
        pauses.append(backoff.remaining_s("a"))
    assert pauses == [0, 0, 1, 2, 4, 8, 10, 10]
    assert backoff.remaining_s("b") == 0
    clock.now += 9
    assert backoff.remaining_s("a") == 1
    clock.now += 1
    assert backoff.remaining_s("a") == 0


def test_failures_are_forgotten(clock: Clock) -> None:
    backoff = BackOff(1, 10, clock)
    backoff.add("a")
    backoff.forget("a")
    assert backoff.remaining_s("a") == 0
    for _ in range(10):
        backoff.add("a")
    clock.now += 301
    backoff.add("a")
    assert backoff.remaining_s("a") == 1


def test_the_table_does_not_grow_without_bound(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_table, "_SETS", 4)
    backoff = BackOff(1, 10, clock)
    for number in range(250):
        clock.now += 0.001
        backoff.add("x" * 1000 + str(number))
    assert sum(backoff.remaining_s("x" * 1000 + str(number)) > 0 for number in range(250)) <= 16
    assert backoff.remaining_s("x" * 1000 + "249") > 0


def test_processes_share_the_failures(clock: Clock) -> None:
    backoff = LoginBackOff(clock)
    child = os.fork()
    if not child:
        for _ in range(10):
            backoff.record("ann", "10.0.0.1", success=False)
        os._exit(0)
    os.waitpid(child, 0)
    with pytest.raises(TooManyRequests):
        backoff.check("ann", "10.0.0.2")


def test_users_and_addresses_back_off_apart(clock: Clock) -> None:
    backoff = LoginBackOff(clock)
    for number in range(10):
        backoff.record("ann", f"10.0.0.{number}", success=False)
    with pytest.raises(TooManyRequests) as caught:
        backoff.check("ann", "10.1.1.1")
    assert caught.value.headers == {"Retry-After": "1"}
    backoff.check("bob", "10.0.0.1")
    for number in range(20):
        backoff.record(f"user {number}", "10.2.2.2", success=False)
    with pytest.raises(TooManyRequests):
        backoff.check("bob", "10.2.2.2")
    backoff.check("bob", "")


def test_a_success_clears_the_user_but_not_the_address(clock: Clock) -> None:
    backoff = LoginBackOff(clock)
    for _ in range(20):
        backoff.record("ann", "10.0.0.1", success=False)
    backoff.record("ann", "10.0.0.2", success=True)
    backoff.check("ann", "10.0.0.2")
    with pytest.raises(TooManyRequests):
        backoff.check("ann", "10.0.0.1")


@pytest.fixture
def slow_hashing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Comparisons that end, with no match, only once the function is called."""
    may_end = threading.Event()

    def compare(_secret: str, _password: str) -> bool:
        may_end.wait(10)
        return False

    monkeypatch.setattr(password_checks, "password_matches", compare)
    return may_end.set


def test_the_queue_is_bounded(slow_hashing: Callable[[], None]) -> None:
    checks = PasswordChecks(MachineTurns(1))
    futures = [checks.start((NO_PASSWORD,), "x", f"user {n}", f"10.0.0.{n}") for n in range(QUEUE)]
    with pytest.raises(TooManyRequests) as caught:
        checks.start((NO_PASSWORD,), "x", "ann", "10.1.1.1")
    assert caught.value.headers["Retry-After"] == "1"
    slow_hashing()
    assert [future.result(10) for future in futures] == [None] * QUEUE


def test_a_queue_of_one_user_is_not_compared_after_the_back_off_begins(slow_hashing: Callable[[], None]) -> None:
    checks = PasswordChecks(MachineTurns(1))
    futures = [checks.start((NO_PASSWORD,), str(n), "ann", f"10.0.0.{n}") for n in range(QUEUE)]
    slow_hashing()
    errors = [future.exception(10) for future in futures]
    assert [type(error) for error in errors] == [type(None)] * 10 + [TooManyRequests] * (QUEUE - 10)


def test_an_abandoned_comparison_leaves_the_queue(slow_hashing: Callable[[], None]) -> None:
    checks = PasswordChecks(MachineTurns(1))
    futures = [checks.start((NO_PASSWORD,), "x", f"user {n}", "") for n in range(QUEUE)]
    assert futures[-1].cancel()
    slow_hashing()
    futures[-2].result(10)
    assert checks.start((NO_PASSWORD,), "x", "last", "").result(10) is None
