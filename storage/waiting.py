"""Answers given at once, in a thread that must not wait: not for a network, a lock or a long query.

The event loop of a server may call a function within `answer_at_once` if its answer usually takes microseconds.
Whatever is about to wait calls `about_to_wait` first. Then the attempt ends with WouldWait, and the caller calls the
function again in a thread that may wait. So only functions that change nothing before they wait may be called this way.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Wait = Literal["transfer", "lookup", "picture"]
"""A wait for another server or process: for the bytes of an object, for a short response, or for a thumbnail."""


class WouldWait(Exception):
    """The answer cannot be given at once."""


class LongAnswer(WouldWait):
    """The answer takes no wait, but more time than the thread has."""


class WouldWaitForOthers(Exception):
    """The answer takes a wait for another server, for which this thread is not meant."""

    def __init__(self, wait: Wait) -> None:
        super().__init__(wait)
        self.wait = wait


class _Thread(threading.local):
    must_answer_at_once = False
    may_take_long = False
    must_not_wait_for_others = False


_thread = _Thread()


@contextmanager
def answer_at_once(*, may_take_long: bool = False) -> Iterator[None]:
    """Within this block, this thread must not wait. Blocks cannot be nested.

    may_take_long: whether it may work on one answer for more than a few milliseconds.
    """
    _thread.must_answer_at_once = True
    _thread.may_take_long = may_take_long
    try:
        yield
    finally:
        _thread.must_answer_at_once = False


def must_answer_at_once() -> bool:
    """Whether this thread must not wait now."""
    return _thread.must_answer_at_once


def about_to_wait() -> None:
    """Raise WouldWait if this thread must not wait now."""
    if _thread.must_answer_at_once:
        raise WouldWait


def about_to_take_long() -> None:
    """Raise LongAnswer if this thread must give its answer at once and soon."""
    if _thread.must_answer_at_once and not _thread.may_take_long:
        raise LongAnswer


@contextmanager
def not_for_others() -> Iterator[None]:
    """Within this block, this thread may wait, but for no server except the catalogue. Blocks cannot be nested."""
    _thread.must_not_wait_for_others = True
    try:
        yield
    finally:
        _thread.must_not_wait_for_others = False


def may_wait_for_others() -> bool:
    """Whether this thread may wait for another server now."""
    return not (_thread.must_answer_at_once or _thread.must_not_wait_for_others)


def about_to_wait_for_others(wait: Wait) -> None:
    """Raise WouldWaitForOthers if this thread must not wait for another server now.

    The caller calls the function again in another thread, so that nothing may have been changed before.
    """
    about_to_wait()
    if _thread.must_not_wait_for_others:
        raise WouldWaitForOthers(wait)
