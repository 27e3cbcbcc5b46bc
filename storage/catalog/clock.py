"""Calendar time in the catalogue: microseconds since 1970-01-01 UTC, and its text."""

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
"""Microseconds in a second."""


def clock() -> int:
    """The current time, in microseconds since 1970."""
    return time.time_ns() // 1000


def later_than(last: int, now: int) -> int:
    """The time `now`, or the first after `last` if the clock has been set back: sequences of times never go back."""
    return max(now, last + 1)


def rfc3339(moment: int) -> str:
    """Format `moment` (microseconds since 1970) as an RFC 3339 date-time in UTC (SVC-GEN-07)."""
    return f"{datetime.fromtimestamp(moment / SECOND, UTC).isoformat(timespec='microseconds')[:-6]}Z"


def unix_seconds(text: str) -> int:
    """Return the whole seconds since 1970 of a moment that `rfc3339` formatted."""
    return int(datetime.fromisoformat(text).timestamp())


def moment(text: str) -> int:
    """Return the moment that `rfc3339` formatted."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def rfc3339_seconds(moment: int) -> str:
    """Format `moment` as `rfc3339` does, but without the fraction of the second."""
    return f"{datetime.fromtimestamp(moment // SECOND, UTC).isoformat()[:-6]}Z"
