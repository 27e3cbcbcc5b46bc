"""Times in the options of commands."""

import argparse
import time

import pytest

from tams_server.cli.times import duration, moment

DAY_US = 86_400_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("30m", 1800), ("12h", 43200), ("7d", 604_800), ("2w", 1_209_600), (" 7D ", 604_800)],
)
def test_durations(text: str, seconds: int) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "d", "-1", "1y", "1.5h", "1e9", "\u0663d"])
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="7d"):
        duration(text)


def test_moments_are_durations_or_dates() -> None:
    now = time.time_ns() // 1000
    assert abs(moment("90d") - now - 90 * DAY_US) < DAY_US
    assert moment("2100-01-01") == moment("21000101") == moment("2100-01-01T01:00:00+01:00")


@pytest.mark.parametrize("text", ["90", "soon", "2001-01-01"])
def test_a_number_is_no_moment(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        moment(text)
