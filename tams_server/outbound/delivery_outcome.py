"""The outcome of one delivery. Of the response, it reveals the status only."""

import email.utils
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

MAX_RETRY_AFTER_S = 86_400.0
"""Upper limit of the back-off that a receiver may request by Retry-After."""
_MAX_DIGITS = 9
"""Digits of Retry-After that are read; any number this long exceeds the limit."""

Problem = Literal[
    "timeout",  # no response in time
    "refused_url",  # not a valid http(s) URL
    "refused_address",  # the address is not allowed
    "lookup",  # the name has no address
    "connection",  # no connection, or it broke before the response
    "tls",  # TLS failed, usually because of the certificate
    "bad_answer",  # the response is not HTTP
    "header",  # a request header is invalid
    "redirect",  # 3xx; redirects are not followed
    "status",  # any other status except 2xx
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one delivery.

    delivered: the status is 2xx. status: of the response, or None if there was none. summary: one sentence for people.
    retry_after_s: the back-off requested by the receiver in seconds, at most MAX_RETRY_AFTER_S.
    """

    delivered: bool
    status: int | None
    problem: Problem | None
    summary: str
    retry_after_s: float | None = None


def no_response(problem: Problem, summary: str) -> Outcome:
    """Return the outcome of a delivery that got no response."""
    return Outcome(False, None, problem, summary)


def outcome_of_response(status: int, retry_after: str | None) -> Outcome:
    """Return the outcome of a response. retry_after: value of the Retry-After header."""
    reply = f"{status} {_PHRASES[status]}" if status in _PHRASES else str(status)
    if 200 <= status < 300:
        return Outcome(True, status, None, f"The receiver responded with {reply}.")
    wait_s = None if retry_after is None else retry_after_s(retry_after)
    if 300 <= status < 400:
        summary = f"The receiver responded with {reply}; redirects are not followed."
        return Outcome(False, status, "redirect", summary, wait_s)
    return Outcome(False, status, "status", f"The receiver responded with {reply}.", wait_s)


def retry_after_s(value: str) -> float | None:
    """Return the back-off that a Retry-After header requests (RFC 9110, 10.2.3), in seconds from now.

    At most MAX_RETRY_AFTER_S; None if the value is neither a number of seconds nor a date.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value.lstrip("0")[:_MAX_DIGITS] or "0"), MAX_RETRY_AFTER_S)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return min(max(moment.timestamp() - time.time(), 0.0), MAX_RETRY_AFTER_S)
    except (ValueError, TypeError, OverflowError):
        return None


_PHRASES = {status.value: status.phrase for status in HTTPStatus}
