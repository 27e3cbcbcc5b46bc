"""The rate at which a client must send a body."""

import time
from collections.abc import Callable


class Pace:
    """What has been received in successive windows of time, in each of which a minimum must be.

    min_rate: bytes per second, on average over a window. Some byte must come in each window in any case.
    """

    def __init__(self, min_rate: float, window_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.window_s = window_s
        self.min_bytes = max(1, int(min_rate * window_s))
        self._clock = clock
        self._end = clock() + window_s
        self._received = 0

    @property
    def remaining_s(self) -> float:
        """Seconds until the end of the window."""
        return max(0.0, self._end - self._clock())

    def add(self, count: int) -> None:
        self._received += count

    def now(self) -> float:
        return self._clock()

    def leave_out(self, since: float) -> None:
        """Leave out the time since `since`, in which the client was not waited for."""
        self._end += self._clock() - since

    def is_kept(self) -> bool:
        """Return whether enough was received in the window, if it is over, and begin the next."""
        now = self._clock()
        if now < self._end:
            return True
        kept = self._received >= self.min_bytes
        self._end, self._received = now + self.window_s, 0
        return kept

    @property
    def rule(self) -> str:
        """The rule, for error messages."""
        return f"at least {self.min_bytes} bytes must be received in {self.window_s:g} seconds"
