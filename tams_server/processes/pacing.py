"""Pauses between the steps of background work, which leave most of the machine to requests."""

import time

_PAUSE_PER_STEP = 3
"""The length of a pause, as a multiple of the duration of the step before it."""
_MAX_PAUSE_S = 0.2


def pause_after_step_s(started: float) -> float:
    """Return the seconds to pause after a step that began at `started`, by the monotonic clock."""
    return min(_PAUSE_PER_STEP * (time.monotonic() - started), _MAX_PAUSE_S)
