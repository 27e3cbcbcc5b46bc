"""Playlists that were written a moment ago, for the many players that ask for the same one."""

import threading
import time
from collections.abc import Callable, Hashable, Sized
from concurrent.futures import Future
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from typing import Final, Generic, TypeGuard, TypeVar

from storage import error_codes
from storage.errors import Invalid, NotFound, TamsError, Unavailable, Unsuitable
from storage.waiting import WouldWaitForOthers, about_to_wait, about_to_wait_for_others, may_wait_for_others

LIFETIME_S: Final = 1.0
_MOST_BYTES: Final = 64 * 2**20
_BYTES_OF_ERROR: Final = 4096
_LONGEST_WAIT_S: Final = 15.0

_Text = TypeVar("_Text", bound=Sized)


@dataclass(frozen=True, slots=True)
class _Pending(Generic[_Text]):
    """A text that a thread writes. may_wait_for_others: whether it may take as long as another server does."""

    may_wait_for_others: bool
    text: Future[_Text] = field(default_factory=Future)


class RecentTexts(Generic[_Text]):
    """Texts by key, or why there are none, for LIFETIME_S each. The length of a text is in bytes.

    Safe for threads, of which one writes a text and the others wait for it.

    clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[float, _Text | TamsError]] = {}
        self._pending: dict[Hashable, _Pending[_Text]] = {}

    def get(self, key: Hashable, write: Callable[[], _Text]) -> _Text:
        """Return the text of a key, as `write` returned it less than LIFETIME_S ago.

        Raises what `write` raises, or raised less than LIFETIME_S ago if that is about the content; Unavailable if
        another thread takes too long.
        """
        with self._lock:
            self._forget_old()
            kept = self._kept.get(key)
        if kept is not None:
            return _text(kept[1])
        about_to_wait()
        while True:
            with self._lock:
                kept = self._kept.get(key)
                pending = self._pending.get(key)
                if kept is None and pending is None:
                    own = self._pending[key] = _Pending(may_wait_for_others())
                    break
            if kept is not None:
                return _text(kept[1])
            assert pending is not None
            if pending.may_wait_for_others:
                # To wait for the thread that waits for a store is to wait for the store.
                about_to_wait_for_others("lookup")
            # The other thread may have been one that must not wait for a store, as this one may.
            with suppress(WouldWaitForOthers):
                return _result(pending.text)
        return self._write(key, write, own)

    def _write(self, key: Hashable, write: Callable[[], _Text], own: _Pending[_Text]) -> _Text:
        try:
            text = write()
        except BaseException as error:
            with self._lock:
                del self._pending[key]
                if _is_about_content(error):
                    # A copy has no traceback, and so does not keep what was read.
                    self._kept[key] = self._clock(), copy(error)
            own.text.set_exception(error)
            raise
        with self._lock:
            del self._pending[key]
            self._kept[key] = self._clock(), text
        own.text.set_result(text)
        return text

    def _forget_old(self) -> None:
        """Forget texts that are too old, and the oldest of those that take too much memory together."""
        now = self._clock()
        size = sum(_size(found) for _, found in self._kept.values())
        for key, (written, found) in list(self._kept.items()):
            if now - written < LIFETIME_S and size <= _MOST_BYTES:
                break
            del self._kept[key]
            size -= _size(found)


def _is_about_content(error: BaseException) -> TypeGuard[TamsError]:
    """Whether the same request would end so again, after as much work; not so for one that finds nothing at all."""
    if isinstance(error, NotFound):
        return error.code is error_codes.NOTHING_TO_PLAY
    return isinstance(error, Invalid | Unsuitable)


def _text(found: _Text | TamsError) -> _Text:
    if isinstance(found, TamsError):
        raise copy(found)
    return found


def _size(found: Sized | TamsError) -> int:
    return _BYTES_OF_ERROR if isinstance(found, TamsError) else len(found)


def _result(text: Future[_Text]) -> _Text:
    """What the other thread wrote. Raises what it raised; Unavailable if it takes too long."""
    try:
        return text.result(_LONGEST_WAIT_S)
    except TimeoutError:
        if text.done():
            raise
        raise Unavailable("the playlist takes long to write; try again") from None
