"""What came of one delivery, in words that tell nothing of the receiver's answer but its status."""

import email.utils
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

LONGEST_RETRY_AFTER_S = 86_400.0

Problem = Literal[
    "timeout",  # the exchange did not end in time
    "refused_url",  # no URL to call
    "refused_address",  # at an address that is not permitted
    "lookup",  # the name has no address now
    "connection",  # no connection, or one that broke before the answer
    "tls",  # no secure connection: mostly the certificate
    "bad_answer",  # what came is not HTTP
    "header",  # a header of the delivery cannot be sent
    "redirect",  # 3xx, which is not followed
    "status",  # any other status but 2xx; 410 is told by `status`
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """delivered: the receiver answered 2xx. status: of its answer, if one came. summary: one sentence for people.

    retry_after_s: how long the receiver asks to be left alone, at most a day.
    """

    delivered: bool
    status: int | None
    problem: Problem | None
    summary: str
    retry_after_s: float | None = None


def failed(problem: Problem, summary: str) -> Outcome:
    """An outcome without an answer."""
    return Outcome(False, None, problem, summary)


def answered(status: int, retry_after: str | None) -> Outcome:
    """The outcome of an answer with `status`; retry_after: the value of that header."""
    told = f"{status} {_PHRASES[status]}" if status in _PHRASES else str(status)
    if 200 <= status < 300:
        return Outcome(True, status, None, f"The receiver answered {told}.")
    wait_s = None if retry_after is None else retry_after_s(retry_after)
    if 300 <= status < 400:
        return Outcome(False, status, "redirect", f"The receiver answered {told}; redirects are not followed.", wait_s)
    return Outcome(False, status, "status", f"The receiver answered {told}.", wait_s)


def retry_after_s(value: str) -> float | None:
    """Seconds from now that a Retry-After header asks for (RFC 9110, 10.2.3), within a day; None if it is neither
    seconds nor a date."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_RETRY_AFTER_S)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return min(max(moment.timestamp() - time.time(), 0.0), LONGEST_RETRY_AFTER_S)
    except (ValueError, TypeError, OverflowError):
        return None


_PHRASES = {status.value: status.phrase for status in HTTPStatus}
