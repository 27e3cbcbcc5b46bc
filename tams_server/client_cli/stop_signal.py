"""Signals that end a command: the first lets it clean up, the second does not."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SHOW_CURSOR = b"\x1b[?25h\n"
_STATUS = 130
"""INTERRUPTED of `errors`, which is not imported yet when this is needed first."""


def end_at_once(*_: object) -> None:
    """End the process, as a handler of a signal. Whatever waits for a server or a thread is left as it is."""
    if sys.stderr is not None and sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _SHOW_CURSOR)  # progress bars hide it
    os._exit(_STATUS)


def interrupt(number: int, _frame: object) -> None:
    """Raise KeyboardInterrupt, as a handler of a signal. The next one ends the process at once."""
    signal.signal(number, end_at_once)
    raise KeyboardInterrupt


@contextmanager
def stopped_by_signal(stop: Callable[[], None], note: str = "") -> Iterator[None]:
    """Call `stop` at the first SIGINT or SIGTERM during the block; the second ends the process at once.

    note: printed at the first on standard error, in a way that a handler of a signal may.
    """

    def handle(_number: int, _frame: object) -> None:
        for each in before:
            signal.signal(each, end_at_once)  # what waits for the server does not end by the first
        if note:
            os.write(sys.stderr.fileno(), f"{note}\n".encode())
        stop()

    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    for each in before:
        signal.signal(each, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ended_by_signal() -> Iterator[None]:
    """Let SIGINT end the process at once during the block, in which nothing needs to be cleaned up.

    A handler in Python would wait until the call into a library returns, as the one that waits for a sender.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
