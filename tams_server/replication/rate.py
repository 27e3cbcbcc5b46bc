"""A limit for bytes a second, shared by all transfers of a run."""

import asyncio
import re
import time

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kMG]?)", re.ASCII)
_FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_AHEAD_S = 0.25
"""Transfers may be ahead of the rate by so much, so that pauses are rare and short."""


class RateLimit:
    """Slows transfers down to `rate` bytes a second in total; None for no limit."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._paid_until = time.monotonic()

    async def take(self, count: int) -> None:
        """Wait until `count` more bytes may pass."""
        if self._rate is None:
            return
        now = time.monotonic()
        self._paid_until = max(self._paid_until, now) + count / self._rate
        if (ahead := self._paid_until - now - _AHEAD_S) > 0:
            await asyncio.sleep(ahead)


def parse_rate(text: str) -> float:
    """Bytes a second of a text such as 500k or 20M. Raises ValueError."""
    found = _SIZE.fullmatch(text)
    if not found or float(found[1]) == 0:
        raise ValueError(f"must be a number of bytes such as 500k or 20M, not {text!r}")
    return float(found[1]) * _FACTORS[found[2]]
