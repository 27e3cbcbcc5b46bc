"""The keys that sign URLs of file stores. They may change while processes run, which read them again now and then.

A new key is published some seconds before it signs, so that every process accepts it by then.
"""

import hashlib
import hmac
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from storage.errors import Unavailable
from storage.media.keyed_hash import KeyedHash
from storage.waiting import about_to_wait

_log = logging.getLogger(__name__)

RENEW_S = 2.0
"""How old the keys of a process may be, while it uses them, before they are read again, beside its requests."""

WAIT_S = 4.0
"""How old they may be after idle times. Before older ones are used, a request waits until they are read again."""

STALE_S = 60
"""How old they may be if they cannot be read. Nothing is signed with older ones."""

_SHORTEST_SECRET = 16


@dataclass(frozen=True)
class UrlKey:
    """A key. Times are in seconds since 1970.

    secret: at least 16 bytes (ValueError otherwise). signs_from: when it begins to sign URLs; it is accepted before.
    valid_until: when it is no longer accepted; None for the newest.
    """

    secret: bytes = field(repr=False)
    signs_from: int = 0
    valid_until: int | None = None

    def __post_init__(self) -> None:
        if len(self.secret) < _SHORTEST_SECRET:
            raise ValueError(f"the secret that signs media URLs must have at least 16 bytes, not {len(self.secret)}")

    @property
    def id(self) -> str:
        """Names the key without giving it away."""
        return hashlib.sha256(b"id of " + self.secret).hexdigest()[:8]

    @cached_property
    def keyed(self) -> KeyedHash:
        """Signs with a derived key, so that the secret can be used for other purposes as well."""
        return KeyedHash(hmac.digest(self.secret, b"tams media urls", "sha256"))


class UrlKeys:
    """The keys of one process, safe to share between threads and across fork.

    keys: as they were when the process was started. read: returns those of now, and may raise Unavailable; None if they
    never change. clock: Unix time in seconds. start: runs a function in the background.
    """

    def __init__(
        self,
        keys: Sequence[UrlKey],
        read: Callable[[], Sequence[UrlKey]] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        start: Callable[[Callable[[], None]], None] = lambda run: threading.Thread(target=run, daemon=True).start(),
    ) -> None:
        self._keys = _in_order(keys)
        self._read = read
        self._clock = clock
        self._monotonic = monotonic
        self._start = start
        self._read_at = self._tried_at = float("-inf")
        self._lock = threading.Lock()

    def need_renewal(self) -> bool:
        """Whether the caller has to call `renew` before it uses them. Keys that are less old are renewed meanwhile."""
        if not self._are_old():
            return False
        if self._monotonic() - self._tried_at > WAIT_S:
            return True
        if not self._lock.locked():
            self._start(self.renew)
        return False

    def renew(self) -> None:
        """Read the keys again, unless another thread is doing so, for which those wait that cannot use the old ones.

        May wait for the catalogue. An outage is logged.
        """
        if self._read is None or not self._acquired():
            return
        try:
            if not self._are_old():
                return
            self._keys = _in_order(self._read())
            self._read_at = self._tried_at = self._monotonic()
        except Unavailable as error:
            # Not before the outage has cost its timeout again.
            self._tried_at = self._monotonic()
            _log.warning("the keys of media URLs cannot be read again at the moment: %s", error)
        finally:
            self._lock.release()

    def _acquired(self) -> bool:
        """Whether this thread has the lock, and not another one, which may renew keys that can still be used."""
        if self._lock.acquire(blocking=False):
            return True
        if not self._are_stale():
            return False
        about_to_wait()
        return self._lock.acquire()

    def _are_old(self) -> bool:
        return self._read is not None and self._monotonic() - self._tried_at > RENEW_S

    def _are_stale(self) -> bool:
        return self._monotonic() - self._read_at > STALE_S

    def signing(self) -> UrlKey:
        """The key to sign with. May wait for the catalogue. Raises Unavailable if the keys are too old to be used."""
        if self.need_renewal():
            self.renew()
        if self._read is not None and self._are_stale():
            raise Unavailable("media URLs cannot be signed: the keys cannot be read at the moment")
        now = self._clock()
        return next((key for key in reversed(self._keys) if key.signs_from <= now), self._keys[0])

    def accepted(self) -> Iterator[UrlKey]:
        """The keys whose signatures are valid now, as far as this process knows. Never waits."""
        now = self._clock()
        return (key for key in reversed(self._keys) if key.valid_until is None or key.valid_until > now)


def _in_order(keys: Sequence[UrlKey]) -> tuple[UrlKey, ...]:
    return tuple(sorted(keys, key=lambda key: key.signs_from))
