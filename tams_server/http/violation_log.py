"""Counts requests that break the published schemas, in memory, and adds the counts to the catalogue now and then (F23).

Counting takes no wait and no write of a request. What is counted comes from the API's document and from verified names
of callers, never from values of a client; the number of counts is bounded all the same.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final

from storage.catalog.clock import clock as system_clock
from storage.catalog.violations import Counts, Outcome, Seen, Violation, day_of, others
from storage.errors import TamsError

_log = logging.getLogger(__name__)

FLUSH_S: Final = 10.0
KINDS: Final = 1_000
"""The most counts that a process keeps between two flushes; what is more is counted together."""
_Key = tuple[int, Outcome, str, str, str]
"""The day, and what a Violation is made of."""


class ViolationLog:
    """add: adds counts to the catalogue; may raise TamsError. clock: returns microseconds since 1970."""

    def __init__(self, add: Callable[[Counts], None], clock: Callable[[], int] = system_clock) -> None:
        self._add = add
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[_Key, list[int]] = {}
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def record(self, outcome: Outcome, operation: str, schema_path: str, principal: str) -> None:
        """Count one request."""
        now = self._clock()
        with self._lock:
            self._count((day_of(now), outcome, operation, schema_path, principal), 1, now, now)
            if self._thread is None and not self._stopped.is_set():
                # Processes that never see a violation have no thread.
                self._thread = threading.Thread(target=self._flush_periodically, name="violations", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Add the counts to the catalogue. If it cannot be written, they are kept for the next time."""
        with self._lock:
            counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            self._add({(key[0], Violation(*key[1:])): Seen(*seen) for key, seen in counts.items()})
        except TamsError as error:
            _log.warning("counts of requests that broke the schemas cannot be stored yet: %s", error)
            with self._lock:
                for key, seen in counts.items():
                    self._count(key, *seen)

    def stop(self) -> None:
        """Flush for the last time."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _count(self, key: _Key, requests: int, first: int, last: int) -> None:
        known = self._counts.get(key)
        if known is None:
            if len(self._counts) < KINDS:
                self._counts[key] = [requests, first, last]
                return
            rest = others(key[1])
            key = key[0], rest.outcome, rest.operation, rest.schema_path, rest.principal
            known = self._counts.setdefault(key, [0, first, last])
        known[:] = known[0] + requests, min(known[1], first), max(known[2], last)

    def _flush_periodically(self) -> None:
        while not self._stopped.wait(FLUSH_S):
            try:
                self.flush()
            except Exception:
                _log.exception("counts of requests that broke the schemas are lost")
