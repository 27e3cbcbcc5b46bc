"""Whether enough time has really passed for what has expired to be deleted.

A clock that jumps forwards makes everything look old: objects that were allocated a minute ago, or media whose
retention ends in a year. So workers compare the clock with the time that has passed since they last looked at it, and
with what was last recorded in the catalogue. After a jump nothing is deleted for as long as an allocation lives, so
that whatever was allocated before has had its time, and somebody may notice. From then on the clock counts again.
"""

import logging
import threading
import time
from collections.abc import Callable

from storage.catalog.clock import SECOND, clock
from storage.catalog.retry import retried
from storage.tables.conditions import equals
from storage.tables.engine import Engine

_log = logging.getLogger(__name__)

_KEY = "clock"
"""In the table `service`: the time at the last look, in microseconds since 1970."""
_TOLERANCE_S = 10.0
"""By how much the clock may gain on the time that passes, or differ from that of another machine."""
_RECORD_S = 60.0
"""How often the time is recorded, for the next process."""
_ADJUSTMENT = 0.1
"""How much of the time that passes the clock may gain again and again: time services adjust it no faster."""


class ClockGuard:
    """The guard of one process, safe to share between threads.

    pause_s: for how many seconds a jump holds up deletions. now: microseconds since 1970. monotonic: seconds.
    """

    def __init__(
        self,
        engine: Engine,
        pause_s: float,
        now: Callable[[], int] = clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._pause_s = pause_s
        self._now = now
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._last: tuple[int, float] | None = None
        self._gained_s = 0.0
        self._paused_until = self._record_at = float("-inf")

    def time_for_deletions(self) -> int | None:
        """Compare the clock with the time that has passed. To be called every few seconds. Raises Unavailable.

        What the clock gains in small steps adds up.

        Returns the time by which deletions may judge what has expired, in microseconds since 1970: a clock that is set
        just after this call deletes nothing. None if nothing is to be deleted.
        """
        with self._lock:
            now, passed = self._now(), self._monotonic()
            if self._last is None:
                recorded = self._recorded()
                gained_s = 0.0 if recorded is None else (now - recorded) / SECOND - _RECORD_S
            else:
                elapsed_s = passed - self._last[1]
                more_s = (now - self._last[0]) / SECOND - elapsed_s
                gained_s = max(0.0, self._gained_s - _ADJUSTMENT * elapsed_s) + more_s
            self._last = now, passed
            self._gained_s = 0.0 if gained_s > _TOLERANCE_S else max(0.0, gained_s)
            if gained_s > _TOLERANCE_S:
                self._paused_until = passed + self._pause_s
                _log.warning(
                    "the clock is %.0f seconds ahead of the time that this server has seen pass; it was set, or no"
                    " worker was running: what has expired is deleted in %.0f seconds",
                    gained_s,
                    self._pause_s,
                )
            if passed < self._paused_until:
                return None
            if passed >= self._record_at:
                self._record(now)
                self._record_at = passed + _RECORD_S
            return now

    def begin(self) -> None:
        """Record the time of a new installation, so that a clock that is set before the first look is noticed."""
        if self._recorded() is None:
            self._record(self._now())

    def _recorded(self) -> int | None:
        with self._engine.read_once() as tx:
            row = tx.get("service", key=_KEY)
        return None if row is None else int(row["value"])

    @retried
    def _record(self, now: int) -> None:
        with self._engine.write() as tx:
            tx.lock("service")
            if not tx.update("service", equals(key=_KEY), {"value": str(now)}):
                tx.insert("service", [{"key": _KEY, "value": str(now)}])
