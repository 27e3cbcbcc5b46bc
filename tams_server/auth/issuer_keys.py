"""The keys of an issuer in one process: cached, and fetched by a thread beside the requests."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

from storage.errors import Unavailable
from tams_server.auth.key_set import KeySet, VerificationKey

_log = logging.getLogger(__name__)

RENEW_S: Final = 240.0
"""How old the keys may be, while they are used, before they are fetched again in the background."""
FRESH_S: Final = 300.0
"""How old they may be unless the issuer was found unavailable since. Requests wait for a fetch then. A key that the
issuer has removed is accepted for this long."""
STALE_S: Final = 3600.0
"""How old they may be while the issuer is unavailable. Nothing is accepted by older ones."""
UNKNOWN_S: Final = 30.0
"""How often they are fetched because of tokens whose key is unknown."""
RETRY_S: Final = 5.0
"""The pause after a failure."""


def _start_thread(run: Callable[[], None]) -> None:
    threading.Thread(target=run, name="issuer-keys", daemon=True).start()


class IssuerKeys:
    """Safe to share between threads, and across fork while nothing was fetched.

    fetch: returns the keys; may raise storage.errors.TamsError or ValueError. clock: in seconds. start: runs a function
    in the background. fetched_at: when the keys were fetched, on this clock.
    """

    def __init__(
        self,
        issuer: str,
        fetch: Callable[[], KeySet],
        clock: Callable[[], float] = time.monotonic,
        start: Callable[[Callable[[], None]], None] = _start_thread,
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._start = start
        self._keys = KeySet()
        self.fetched_at = self._failed_at = float("-inf")
        self._running: Future[None] | None = None
        self._lock = threading.Lock()

    def find(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return the keys that may have signed a token, as far as this process knows. Never waits."""
        self._renew()
        return self._keys.find(kid, algorithm) if self._are_usable() else ()

    def has(self, id_: str) -> bool:
        """Whether a key is still valid, as far as this process knows. Never waits."""
        self._renew()
        return self._are_usable() and self._keys.has(id_)

    def fetch_unknown(self) -> "Future[None] | None":
        """Return the end of a fetch, which this starts if none is running; None if the keys are new enough.

        Raises Unavailable if the issuer was unavailable a moment ago.
        """
        now = self._clock()
        if self._running is None:
            if now - self.fetched_at < UNKNOWN_S:
                return None
            if now - self._failed_at < RETRY_S:
                raise self.unavailable()
        return self._begin()

    def is_available(self) -> bool:
        """Whether the last fetch succeeded."""
        return self.fetched_at > self._failed_at

    def unavailable(self) -> Unavailable:
        return Unavailable(f"the keys of the issuer {self._issuer} cannot be fetched at the moment")

    def _are_usable(self) -> bool:
        """Whether the issuer was asked for them lately, even if in vain. After a pause they may have been removed."""
        now = self._clock()
        return now - max(self.fetched_at, self._failed_at) <= FRESH_S and now - self.fetched_at <= STALE_S

    def _renew(self) -> None:
        now = self._clock()
        if RENEW_S < now - self.fetched_at < float("inf") and now - self._failed_at > RETRY_S:
            self._begin()

    def _begin(self) -> "Future[None]":
        with self._lock:
            if self._running is not None:
                return self._running
            ended = self._running = Future[None]()
        try:
            self._start(self._run)
        except RuntimeError:  # no thread can be started now
            self._end(KeySet(), "no thread can be started")
        return ended

    def _run(self) -> None:
        keys, problem = KeySet(), "the fetch failed"
        try:
            keys = self._fetch()
            problem = "" if keys.keys else "it has no key that can be used"
        except Exception as error:
            problem = str(error) or type(error).__name__
        finally:
            self._end(keys, problem)

    def _end(self, keys: KeySet, problem: str) -> None:
        if problem:
            self._failed_at = self._clock()
            _log.warning("the keys of the issuer %s cannot be fetched: %s", self._issuer, problem)
        else:
            self._keys = keys
            self.fetched_at = self._clock()
        with self._lock:
            ended, self._running = self._running, None
        if ended is not None:
            ended.set_result(None)
