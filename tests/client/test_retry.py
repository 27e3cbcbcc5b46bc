"""When a request is repeated."""

import email.utils
import time

import httpx
import pytest

from tams_server.client import ApiError, Retry, RetryPolicy, Unreachable
from tams_server.client.retry import retry_after

REQUEST = httpx.Request("GET", "http://tams.example/")


def error(status: int, **headers: str) -> ApiError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ApiError(httpx.Response(status, headers=named, request=REQUEST))


def test_pauses_double_up_to_the_longest() -> None:
    attempts = RetryPolicy(for_s=100, first_s=1, longest_s=4).attempts()
    pauses = [attempts.pause_after(error(500), repeatable=True) for _ in range(5)]
    for pause, longest in zip(pauses, (1, 2, 4, 4, 4), strict=True):
        assert pause is not None
        assert longest / 2 <= pause <= longest


def test_retry_after_takes_precedence_in_either_form() -> None:
    assert RetryPolicy().attempts().pause_after(error(503, Retry_After="7"), repeatable=True) == 7
    then = email.utils.formatdate(time.time() + 30, usegmt=True)
    assert 28 < retry_after(error(429, Retry_After=then)) <= 30
    assert retry_after(error(429, Retry_After="soon")) == 0


def test_a_pause_longer_than_the_time_that_is_left_ends_the_attempts() -> None:
    assert RetryPolicy(for_s=5).attempts().pause_after(error(503, Retry_After="6"), repeatable=True) is None


def test_each_pause_is_told_before_it() -> None:
    told: list[Retry] = []
    attempts = RetryPolicy(for_s=60, on_retry=told.append).attempts()
    pauses = [attempts.pause_after(error(503, Retry_After=after), repeatable=True) for after in ("7", "50", "61")]
    assert pauses == [7, 50, None]
    assert [(each.pause_s, each.error.args) for each in told] == [(7, error(503).args), (50, error(503).args)]
    assert all(each.waited_s >= 0 and 50 < each.left_s <= 60 for each in told)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 501])
def test_errors_that_last_are_not_repeated(status: int) -> None:
    assert RetryPolicy().attempts().pause_after(error(status), repeatable=True) is None


def test_what_may_have_been_done_is_repeated_only_if_it_was_not_processed() -> None:
    attempts = RetryPolicy().attempts()
    assert attempts.pause_after(Unreachable(REQUEST, httpx.ReadError("broken")), repeatable=False) is None
    assert attempts.pause_after(error(503), repeatable=False) is None
    assert attempts.pause_after(error(429), repeatable=False) is not None
