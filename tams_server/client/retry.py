"""When a request is repeated, and after which pause. Decisions only: the clients do the waiting."""

import email.utils
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tams_server.client.errors import ApiError, ClientError, Unreachable

_NOT_PROCESSED = 429
"""A response that says that nothing was done, so that any request can be repeated."""
_TEMPORARY = frozenset({408, 425, _NOT_PROCESSED, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Retry:
    """A request that is about to be repeated. error: of the last attempt. pause_s: until the next one.

    waited_s: since the first attempt began. left_s: for how long attempts go on at most. All in seconds.
    """

    error: ClientError
    pause_s: float
    waited_s: float
    left_s: float


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to keep trying, and how long to pause. All in seconds.

    for_s: no attempt begins later than this after the first. first_s, longest_s: the first pause, which doubles up to
    the longest. Retry-After takes precedence if it is longer. on_retry: called before each pause, from the thread that
    waits, so that somebody can be told.
    """

    for_s: float = 60.0
    first_s: float = 0.2
    longest_s: float = 20.0
    on_retry: Callable[[Retry], None] | None = None

    def attempts(self) -> "Attempts":
        """Begin the attempts of one request."""
        return Attempts(self)


@dataclass(slots=True)
class Attempts:
    """The attempts of one request so far."""

    policy: RetryPolicy
    failed: int = 0
    began: float = field(default_factory=time.monotonic)

    def pause_after(self, error: ClientError, *, repeatable: bool) -> float | None:
        """The seconds to wait before the next attempt, after a call of on_retry; None to give up.

        repeatable: whether doing the request twice has the effect of doing it once. Others are only repeated after a
        429, as a connection that broke, or a 503 of a proxy, does not tell whether the server has acted.
        """
        if not is_temporary(error) or not (repeatable or _was_not_processed(error)):
            return None
        pause = min(self.policy.longest_s, self.policy.first_s * 2.0**self.failed) * random.uniform(0.5, 1)  # noqa: S311
        pause = max(pause, retry_after(error))
        self.failed += 1
        waited = time.monotonic() - self.began
        left = self.policy.for_s - waited
        if pause > left:
            return None
        if self.policy.on_retry is not None:
            self.policy.on_retry(Retry(error, pause, waited, left))
        return pause


def is_temporary(error: ClientError) -> bool:
    """Whether the same request may succeed later."""
    return isinstance(error, Unreachable) or (isinstance(error, ApiError) and error.status in _TEMPORARY)


def retry_after(error: ClientError) -> float:
    """The seconds that the server asked to wait, by Retry-After in either form (RFC 9110, 10.2.3); 0 if it did not."""
    text = error.headers.get("retry-after", "").strip() if isinstance(error, ApiError) else ""
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


def _was_not_processed(error: ClientError) -> bool:
    return isinstance(error, ApiError) and error.status == _NOT_PROCESSED
