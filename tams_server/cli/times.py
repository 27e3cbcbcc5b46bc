"""Times in options: durations such as 90d, and dates."""

import argparse
import re
from datetime import UTC, datetime
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION: Final = re.compile(r"([0-9]{1,9})([smhdw]?)")


def duration(text: str) -> int:
    """Return a duration in seconds, from a text such as 90, 30m, 12h, 7d or 2w."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"must be a duration such as 90s, 30m, 12h, 7d or 2w, not {text!r}")
    return int(match[1]) * _UNITS[match[2] or "s"]


def moment(text: str) -> int:
    """Return a time in the future in microseconds since 1970: a date, a date and time, or a duration from now on.

    Without a time zone, UTC is meant. A duration has a unit, since digits alone can be a date: 20300131.
    """
    now = datetime.now(UTC)
    match = _DURATION.fullmatch(text.strip().lower())
    if match is not None and match[2]:
        return int((now.timestamp() + duration(text)) * 1_000_000)
    try:
        at = datetime.fromisoformat(text.strip())
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a duration such as 90d, or a date such as 2030-01-31, not {text!r}"
        ) from None
    if at <= now:
        raise argparse.ArgumentTypeError(f"must be in the future, not {text!r}")
    return int(at.timestamp() * 1_000_000)
