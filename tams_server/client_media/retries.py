"""Repeat what has to be repeated as a whole, such as an upload to newly allocated storage."""

import time
from collections.abc import Callable
from typing import TypeVar

from tams_server.client import ClientError, RetryPolicy

T = TypeVar("T")
LONG = RetryPolicy(for_s=600)
"""Outlasts the restart or upgrade of a server, for what nobody waits for in front of a screen."""


def repeat(do: Callable[[], T], policy: RetryPolicy, told: Callable[[ClientError], None] | None = None) -> T:
    """Call `do` until it succeeds. It must be safe to call again whatever became of the attempt before.

    told: called with each temporary error before the pause. Raises the error that is not temporary, or the last one.
    """
    attempts = policy.attempts()
    while True:
        try:
            return do()
        except ClientError as error:
            pause = attempts.pause_after(error, repeatable=True)
            if pause is None:
                raise
            if told is not None:
                told(error)
        time.sleep(pause)
