"""A receiver of events that fails now and then, each time in a different way."""

import itertools
import random
import time
from collections.abc import Callable

from tests.faults.behaviours import (
    Behaviour,
    Received,
    drip_body,
    drip_head,
    hang,
    incomplete_body,
    incomplete_head,
    large_body,
    redirect,
    reset,
    respond,
    send_and_close,
)

_SHARE = 0.05
"""Of deliveries that fail."""
_FAILURES = [
    hang(),
    respond(500),
    respond(429, {"Retry-After": "1"}),
    reset(),
    send_and_close(b""),
    send_and_close(b"no HTTP at all\r\n\r\n"),
    incomplete_head(),
    incomplete_body(),
    redirect("http://127.0.0.1:1/elsewhere"),
    drip_head(),
    drip_body(),
    drip_body(503),
    large_body(3_000_000, 500),
    respond(200, close=True),
]


def unreliable(*, pause_s: float = 0.0) -> Callable[[Received], Behaviour]:
    """The behaviour for each request to a Receiver. pause_s: the least time between two failures."""
    failures = itertools.cycle(_FAILURES)
    failed_at = float("-inf")

    def behave(_: Received) -> Behaviour:
        nonlocal failed_at
        if random.random() >= _SHARE or time.monotonic() < failed_at + pause_s:
            return respond()
        failed_at = time.monotonic()
        return next(failures)

    return behave
