"""Waiting for what a server may do a little later than its answer."""

import time
from collections.abc import Callable
from typing import TypeVar

_INTERVAL_S = 0.02
Found = TypeVar("Found")


def until(look: Callable[[], Found], what: str, timeout_s: float = 10) -> Found:
    """Call `look` until it gives something true, and give that. Fails after the timeout, naming `what` was awaited."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(_INTERVAL_S)
    return found
