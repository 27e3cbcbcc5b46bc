"""TAI and UTC."""

from datetime import UTC, datetime

import pytest

from storage.tai import tai_of_unix, unix_of_tai
from storage.timerange import NS


def unix(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp()) * NS  # type: ignore[misc]


@pytest.mark.parametrize(
    ("unix_ns", "ahead_s"),
    [
        (unix(1970, 1, 1), 10),
        (unix(1972, 6, 30, 23, 59, 59), 10),
        (unix(1972, 7, 1), 11),
        (unix(1999, 1, 1), 32),
        (unix(2016, 12, 31, 23, 59, 59), 36),
        (unix(2017, 1, 1), 37),
        (unix(2026, 11, 29), 37),
    ],
)
def test_tai_is_ahead_of_utc_by_the_leap_seconds(unix_ns: int, ahead_s: int) -> None:
    assert tai_of_unix(unix_ns) - unix_ns == ahead_s * NS
    assert unix_of_tai(tai_of_unix(unix_ns)) == unix_ns
    assert unix_of_tai(tai_of_unix(unix_ns) + 1) == unix_ns + 1


def test_a_leap_second_has_the_times_of_the_second_after_it() -> None:
    midnight = unix(2017, 1, 1)
    inside_ns = tai_of_unix(midnight) - NS // 2
    assert unix_of_tai(inside_ns) == midnight + NS // 2
