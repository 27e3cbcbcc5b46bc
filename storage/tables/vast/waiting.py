"""Pauses between tries."""

import random
import time

_PAUSE_S = 0.004
_LONGEST_PAUSE_S = 0.25


def pause(attempt: int) -> None:
    """Wait a random while, longer with every attempt, so that those who lost a race do not meet again."""
    time.sleep(random.uniform(0, min(_LONGEST_PAUSE_S, _PAUSE_S * 2**attempt)))  # noqa: S311 - no secret
