"""Back-off after wrong passwords: per user name and per client address, in tables that all processes share."""

import math
import threading
import time
from collections.abc import Callable
from typing import Final

from tams_server import error_codes
from tams_server.errors import TooManyRequests
from tams_server.quotas.shared_table import SharedTable

_FORGOTTEN_S: Final = 300.0
"""Time without a failure after which the earlier ones do not count any more."""


class BackOff:
    """The failures by key, for the processes that are forked from this one.

    The first `free` cost nothing; from then on the pause doubles, from 1 s up to `longest_s`. Of more than 16,384 keys,
    some with the oldest failures are forgotten.
    """

    def __init__(self, free: int, longest_s: float, clock: Callable[[], float]) -> None:
        """clock: returns seconds, the same in all processes."""
        self._free = free
        self._longest_s = longest_s
        self._clock = clock
        self._failures = SharedTable("dQ")  # the time of the last failure, and their number
        self._lock = threading.Lock()

    def remaining_s(self, key: str) -> float:
        """Return for how many seconds nothing may be tried for the key; 0 if it may now."""
        last, count = self._failures.find(key).numbers or (0.0, 0)
        if count < self._free:
            return 0.0
        pause_s = min(2.0 ** min(count - self._free, 60), self._longest_s)
        remaining_s: float = last + pause_s - self._clock()
        return max(0.0, remaining_s)

    def add(self, key: str) -> None:
        """Count a failure."""
        with self._lock:
            now, place = self._clock(), self._failures.find(key)
            last, count = place.numbers or (0.0, 0)
            recent = now - last < _FORGOTTEN_S
            self._failures.write(place, now, count + 1 if recent else 1)

    def forget(self, key: str) -> None:
        with self._lock:
            place = self._failures.find(key)
            if place.numbers:
                self._failures.write(place, 0.0, 0)


class LoginBackOff:
    """The back-off of a server. An address has more tries than a user name, as many users may share it; the pause of a
    user name is short, so that nobody can lock a user out for long. Must be made before processes are forked."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._users = BackOff(10, 10.0, clock)
        self._addresses = BackOff(20, 60.0, clock)

    def check(self, user: str, address: str) -> None:
        """Raises TooManyRequests while no password of the user, or from the address, may be tried.

        address: "" if it is unknown.
        """
        remaining_s = max(self._users.remaining_s(user), self._addresses.remaining_s(address) if address else 0.0)
        if remaining_s > 0:
            raise too_many_logins(remaining_s, "too many wrong passwords of this user or from this address")

    def record(self, user: str, address: str, *, success: bool) -> None:
        """Count the outcome of a try. A success clears the user name only: an attacker may have an account too."""
        if success:
            self._users.forget(user)
            return
        self._users.add(user)
        if address:
            self._addresses.add(address)


def too_many_logins(retry_s: float, reason: str) -> TooManyRequests:
    retry_after = max(1, math.ceil(retry_s))
    return TooManyRequests(
        f"{reason}; try again in {retry_after} s",
        code=error_codes.AUTH_TOO_MANY_ATTEMPTS,
        headers={"Retry-After": str(retry_after)},
    )
