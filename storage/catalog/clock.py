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
