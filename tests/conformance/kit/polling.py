"""Polling for effects that a server may apply shortly after its response."""

import time
from collections.abc import Callable
from typing import TypeVar

_INTERVAL_S = 0.02
Found = TypeVar("Found")


def wait_until(look: Callable[[], Found], what: str, timeout_s: float = 10) -> Found:
    """Call `look` until it returns a true value, and return that. Fails after the timeout, naming `what`."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"timed out after {timeout_s} s waiting for: {what}"
        time.sleep(_INTERVAL_S)
    return found
