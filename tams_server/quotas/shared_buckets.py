"""Quotas of many keys over time, kept in memory that all processes of a server share."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tams_server.quotas.shared_table import SharedTable

_ROUNDING_S: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Verdict:
    """remaining: units that may follow at once. wait_s: seconds until one may, or until all may again."""

    permitted: bool
    remaining: int
    wait_s: float


class SharedBuckets:
    """Token buckets, one for each key, for the processes that are forked from this one (Linux: one clock for all).

    A bucket is the time at which it will be full again (GCRA). It fills evenly, in `window_s` from empty to full.
    """

    def __init__(self, window_s: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.window_s = window_s
        self._clock = clock
        self._table = SharedTable("d")
        self._lock = threading.Lock()

    def take(self, key: str, quota: int, units: int = 1) -> Verdict:
        """Count `units` for the key, if one at least is left of its quota; what goes beyond that is owed.

        quota: units in the window, at least 1.
        """
        unit_s = self.window_s / quota
        with self._lock:
            now = self._clock()
            place = self._table.find(key)
            full_s = max(0.0, place.numbers[0] - now) if place.numbers else 0.0
            if full_s + unit_s > self.window_s + _ROUNDING_S:
                return Verdict(False, 0, full_s + unit_s - self.window_s)
            full_s += units * unit_s
            self._table.write(place, now + full_s)
        return Verdict(True, self._left(full_s, quota), full_s)

    def adjust(self, key: str, quota: int, units: int) -> None:
        """Count more units after `take`, however many are left; fewer if `units` is negative."""
        with self._lock:
            place = self._table.find(key)
            if place.numbers:
                self._table.write(place, place.numbers[0] + units * self.window_s / quota)

    def _left(self, full_s: float, quota: int) -> int:
        return max(0, math.floor((self.window_s - full_s) / self.window_s * quota + 1e-6))
