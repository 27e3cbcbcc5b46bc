"""Back-off: how long to pause between attempts at something that has failed."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with jitter.

    first_s: base of the first pause, in seconds. longest_s: limit of every pause, in seconds.
    factor: growth of the base from one attempt to the next, at least 1.
    jitter: each pause is its base multiplied by a random number between these two, so that callers that failed together
    do not retry together. (0.0, 1.0) spreads them the most; (1.0, 1.0) gives exact pauses.
    Raises ValueError where these values make no sense.
    """

    first_s: float
    longest_s: float
    factor: float = 2.0
    jitter: tuple[float, float] = (0.5, 1.0)

    def __post_init__(self) -> None:
        if not 0 < self.first_s <= self.longest_s:
            raise ValueError(f"0 < first_s <= longest_s must hold, not {self.first_s} and {self.longest_s}")
        if self.factor < 1:
            raise ValueError(f"factor must be at least 1, not {self.factor}")
        low, high = self.jitter
        if not 0 <= low <= high <= 1:
            raise ValueError(f"jitter must be two numbers from 0 to 1, the smaller first, not {self.jitter}")

    def pause_s(self, attempt: int) -> float:
        """The seconds to pause after attempt number `attempt`, counted from 0: the base of pause 0 is `first_s`."""
        try:
            base = min(self.first_s * self.factor**attempt, self.longest_s)
        except OverflowError:
            base = self.longest_s
        return base * random.uniform(*self.jitter)  # noqa: S311 - no secret
