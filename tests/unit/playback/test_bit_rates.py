"""Bit rates that playlists state, from the sizes of segments."""

import pytest

from storage.playback.bit_rates import mean_rate, peak_rate
from storage.playback.media_segment import MediaSegment
from storage.timerange import NS

PICTURE = NS // 25


def sized(*segments: tuple[int, int, int]) -> list[tuple[MediaSegment, int]]:
    """Segments of start and end in ns, and size in bytes."""
    return [(MediaSegment(start, end, str(start)), size) for start, end, size in segments]


@pytest.mark.parametrize("last", [1, PICTURE])
def test_a_short_segment_is_no_peak_by_itself(last: int) -> None:
    segments = sized((0, 2 * NS, 1000), (2 * NS, 4 * NS, 2000), (4 * NS, 4 * NS + last, 900))
    duration = 2 * NS + last
    assert peak_rate(segments, 1) == peak_rate(segments[::-1], 1) == -(-2900 * 8 * NS // duration)


def test_segments_that_are_shorter_than_the_target_duration_are_taken_together() -> None:
    segments = sized(*((n * NS, (n + 1) * NS, 3000 if n in (3, 4, 5) else 1000) for n in range(8)))
    # Three to nine of them.
    assert peak_rate(segments, 6) == 3000 * 8
    assert peak_rate(segments[:5], 6) == -(-7000 * 8 // 3)


def test_segments_with_a_gap_between_them_are_not_taken_together() -> None:
    segments = sized((0, NS, 9000), (2 * NS, 3 * NS, 9000), (10 * NS, 13 * NS, 3000))
    assert peak_rate(segments, 6) == 1000 * 8


def test_without_segments_that_last_so_long_the_rate_is_that_of_all() -> None:
    segments = sized((0, NS, 1000), (2 * NS, 3 * NS, 3000))
    assert peak_rate(segments, 10) == mean_rate(segments) == 2000 * 8
    assert peak_rate([], 10) == mean_rate([]) == 0
