"""Calendar time in the catalogue: microseconds since 1970-01-01 UTC, and its text."""

import time
from datetime import UTC, datetime

SECOND = 1_000_000
"""Microseconds in a second."""


def clock() -> int:
    """The current time, in microseconds since 1970."""
    return time.time_ns() // 1000


def rfc3339(moment: int) -> str:
    """Format `moment` (microseconds since 1970) as an RFC 3339 date-time in UTC (SVC-GEN-07)."""
    return datetime.fromtimestamp(moment / SECOND, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def unix_seconds(text: str) -> int:
    """Return the whole seconds since 1970 of a moment that `rfc3339` formatted."""
    return int(datetime.fromisoformat(text).timestamp())


def rfc3339_seconds(moment: int) -> str:
    """Format `moment` as `rfc3339` does, but without the fraction of the second."""
    return datetime.fromtimestamp(moment // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
