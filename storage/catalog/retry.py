"""Retry catalogue transactions that lost a race against another writer."""

import functools
import time
from collections.abc import Callable
from itertools import count
from typing import ParamSpec, TypeVar

from storage.backoff import Backoff
from storage.errors import Conflict, Contended

P = ParamSpec("P")
T = TypeVar("T")

_MIN_ATTEMPTS = 8
_DEADLINE_S = 10.0
_BACKOFF = Backoff(first_s=0.02, longest_s=0.25, jitter=(0.0, 1.0))


def retried(method: Callable[P, T]) -> Callable[P, T]:
    """Decorate a method to retry it, after a short random pause, when another writer got in between.

    The method must be a single transaction, or several that may each be repeated.

    Raises: Conflict if it persists for `_MIN_ATTEMPTS` attempts; Contended if it also outlasts `_DEADLINE_S`.
    """

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        deadline = time.monotonic() + _DEADLINE_S
        for attempt in count():
            try:
                return method(*args, **kwargs)
            except (Contended, Conflict) as error:
                if attempt + 1 >= _MIN_ATTEMPTS and (isinstance(error, Conflict) or time.monotonic() > deadline):
                    raise
                time.sleep(_BACKOFF.pause_s(attempt))
        raise AssertionError("unreachable")

    return call
