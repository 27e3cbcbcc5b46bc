"""The RateLimit fields of draft-ietf-httpapi-ratelimit-headers, and the error beyond a quota."""

import math
from typing import Literal, Protocol

from tams_server.errors import TooManyRequests
from tams_server.quotas.shared_buckets import Verdict

Unit = Literal["requests", "content-bytes", "concurrent-requests"]
"""Quota units of the draft; "requests" is its default."""


class Informed(Protocol):
    """The state of a request, whose response gets the headers in `rate_limits`."""

    rate_limits: tuple[tuple[bytes, bytes], ...]


def inform(
    request: Informed, policy: str, quota: int, window_s: float, verdict: Verdict, unit: Unit = "requests"
) -> None:
    """Add the fields for one policy to the response of a request."""
    unit_text = "" if unit == "requests" else f';qu="{unit}"'
    request.rate_limits += (
        (b"ratelimit-policy", f'"{policy}";q={quota};w={math.ceil(window_s)}{unit_text}'.encode()),
        (b"ratelimit", f'"{policy}";r={verdict.remaining};t={_whole_s(verdict.wait_s)}'.encode()),
    )


def require(verdict: Verdict, rule: str) -> None:
    """Raise TooManyRequests unless permitted. rule: the one that is broken, "more than ..."."""
    if not verdict.permitted:
        wait_s = _whole_s(verdict.wait_s)
        raise TooManyRequests(f"{rule}; try again in {wait_s} s", headers={"Retry-After": str(wait_s)})


def _whole_s(seconds: float) -> int:
    return max(1, math.ceil(seconds))
