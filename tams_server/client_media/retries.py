"""Repeat what has to be repeated as a whole, such as an upload to newly allocated storage."""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from tams_server.client import ClientError, RetryPolicy

T = TypeVar("T")
LONG: Final = RetryPolicy(for_s=600)
"""Outlasts the restart or upgrade of a server, for what nobody waits for in front of a screen."""
ONCE: Final = RetryPolicy(for_s=0)
"""For requests inside of `repeat`, whose pauses can be stopped; those of the client cannot."""


def repeat(
    do: Callable[[], T],
    policy: RetryPolicy,
    stop: threading.Event | None = None,
) -> T:
    """Call `do` until it succeeds. It must be safe to call again whatever became of the attempt before.

    stop: ends the attempts once it is set. Raises the error that is not temporary, or the last one.
    """
    stop = stop or threading.Event()
    attempts = policy.attempts()
    while True:
        try:
            return do()
        except ClientError as error:
            pause = None if stop.is_set() else attempts.pause_after(error, repeatable=True)
            if pause is None or stop.wait(pause):
                raise
