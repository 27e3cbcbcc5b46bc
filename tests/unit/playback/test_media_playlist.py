"""The text of media playlists, held against the rules of HLS."""

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from storage.playback.media_playlist import MediaPlaylist, date_time, write_media_playlist
from storage.playback.media_segment import MediaSegment, media_segment, slack_of, thinned
from storage.timerange import NS
from tests.playback.rules import Playlist, read_media_playlist

COMPLETE = MediaPlaylist(kind="VOD", complete=True)
FRAME = Fraction(1001 * NS, 30000)
TODAY = 1_800_000_000 * NS


def segment(start: int, end: int, number: int = 0, init: str | None = None, ts_offset: int = 0) -> MediaSegment:
    return MediaSegment(start, end, f"object-{number}-{start}", init, ts_offset)


def seconds(*spans: tuple[int, int], **members: Any) -> list[MediaSegment]:
    return [segment(start * NS, end * NS, number, **members) for number, (start, end) in enumerate(spans)]


def written(segments: list[MediaSegment], playlist: MediaPlaylist = COMPLETE, missing: str = "") -> Playlist:
    ids = {id_ for each in segments for id_ in (each.object_id, each.init_object_id) if id_}
    urls = {id_: None if id_ == missing else f"https://media.example/{id_}" for id_ in ids}
    return read_media_playlist(write_media_playlist(segments, urls, playlist))


def test_durations_of_ten_thousand_ntsc_segments_do_not_drift() -> None:
    count, frames = 10_000, 60
    times = [TODAY + round(frames * number * FRAME) for number in range(count + 1)]
    found = written([segment(*span, number) for number, span in enumerate(pairwise(times))])
    assert found.duration == Fraction(times[-1] - times[0], NS)
    at = Fraction(0)
    for number, each in enumerate(found.segments):
        assert abs(at * NS - frames * number * FRAME) <= Fraction(1, 2) + 1
        at += each.duration
    assert [each.number for each in found.segments] == list(range(count))
    assert not any(each.is_discontinuous for each in found.segments)


def test_rounding_of_less_than_a_millisecond_is_no_gap_and_no_drift() -> None:
    spans = [(0, 2 * NS - 1), (2 * NS, 4 * NS - 400_000), (4 * NS, 6 * NS)]
    segments = [segment(start, end) for start, end in spans]
    found = written(segments)
    assert found.duration == 6
    assert not any(each.is_discontinuous for each in found.segments)
    # What comes later changes no segment that players know already, nor does what leaves a live window.
    assert written(segments[:2]).segments == found.segments[:2]
    [last] = written(segments[2:], replace(COMPLETE, before=segments[1])).segments
    assert last.duration == found.segments[2].duration


def test_a_gap_is_a_discontinuity_with_a_new_date() -> None:
    first = 1_800_000_000
    spans = [(first, first + 2), (first + 2, first + 4), (first + 10, first + 12)]
    found = written(seconds(*spans))
    assert [each.is_discontinuous for each in found.segments] == [False, False, True]
    # TAI is 37 s ahead of UTC since 2017.
    dates = [datetime.fromtimestamp(first - 37 + at, UTC) for at in (0, 10)]
    assert [each.date for each in found.segments] == [dates[0], None, dates[1]]


@pytest.mark.parametrize(("change", "interrupts"), [(2 * NS, True), (1_000_000, True), (999_999, False), (-1, False)])
def test_another_offset_is_a_discontinuity(change: int, interrupts: bool) -> None:
    found = written([segment(0, NS), segment(NS, 2 * NS, ts_offset=change)])
    assert [each.is_discontinuous for each in found.segments] == [False, interrupts]


def test_another_init_object_is_a_discontinuity_with_a_map() -> None:
    found = written([segment(0, NS, init="a"), segment(NS, 2 * NS, init="a"), segment(2 * NS, 3 * NS, init="b")])
    assert [each.map_uri for each in found.segments] == [f"https://media.example/{name}" for name in "aab"]
    assert [each.is_discontinuous for each in found.segments] == [False, False, True]


@pytest.mark.parametrize("missing", ["object-1-2000000000", "init"])
def test_a_segment_that_cannot_be_fetched_is_a_gap(missing: str) -> None:
    found = written(seconds((0, 2), (2, 4), init="init"), missing=missing)
    assert [each.is_gap for each in found.segments] == [missing == "init", True]


def test_the_target_duration_is_that_of_the_longest_segment_or_more() -> None:
    assert written([segment(0, 2 * NS), segment(2 * NS, 4 * NS + NS // 2)]).target == 3
    assert written([segment(0, 100)]).target == 1
    assert written(seconds((0, 2)), MediaPlaylist(target_s=6)).target == 6


def test_a_playlist_without_segments_keeps_the_rules() -> None:
    assert written([], MediaPlaylist(target_s=2)).segments == []


def test_the_beginning_of_a_timerange_is_told() -> None:
    playlist = MediaPlaylist(kind="VOD", complete=True, start=1_500_000_000)
    assert written(seconds((0, 2), (2, 4)), playlist).tags["EXT-X-START"] == "TIME-OFFSET=1.500000000,PRECISE=YES"
    assert "EXT-X-START" not in written(seconds((2, 4)), playlist).tags


def test_numbers_of_the_first_segment_are_told() -> None:
    found = written(seconds((0, 2), (5, 7)), MediaPlaylist(sequence=7, discontinuity_sequence=3))
    assert [(each.number, each.discontinuity) for each in found.segments] == [(7, 3), (8, 4)]


def test_dates_are_utc_by_the_leap_second_table() -> None:
    leap = int(datetime(2017, 1, 1, tzinfo=UTC).timestamp()) * NS
    assert date_time(leap + 36 * NS - NS) == "2016-12-31T23:59:59.000Z"
    assert date_time(leap + 37 * NS) == "2017-01-01T00:00:00.000Z"
    assert date_time(leap + 37 * NS + 1_999_999) == "2017-01-01T00:00:00.001Z"
    assert date_time(0) is None


def row(start: int, end: int, object_range: str, **members: Any) -> dict[str, Any]:
    return {
        "start_ns": start,
        "end_ns": end,
        "timerange": f"[{start // NS}:{start % NS}_{end // NS}:{end % NS})",
        "object_id": "object",
        "init_object_id": None,
        "doc": {"object_timerange": object_range, **members},
    }


@pytest.mark.parametrize(
    ("object_range", "members", "whole"),
    [
        ("[0:0_2:0)", {}, True),
        ("[0:0_1:960000000]", {}, True),
        ("[0:0_2:39999999)", {}, True),
        ("[0:0_2:40000000)", {}, False),
        ("[-0:39999999_2:0)", {}, True),
        ("[-0:40000000_2:0)", {}, False),
        ("[5:0_7:0)", {"ts_offset": "-5:0"}, True),
        ("[5:0_9:0)", {"ts_offset": "-5:0"}, False),
        ("[0:0_2:0)", {"sample_offset": 0}, True),
        ("[0:0_2:0)", {"sample_offset": 5}, False),
    ],
)
def test_only_segments_that_use_their_object_whole_are_listed(
    object_range: str, members: dict[str, Any], whole: bool
) -> None:
    slack = slack_of({"essence_parameters": {"frame_rate": {"numerator": 25}}})
    assert (media_segment(row(0, 2 * NS, object_range, **members), slack) is not None) is whole


def test_the_slack_is_a_frame_of_the_flow() -> None:
    assert slack_of({"essence_parameters": {"frame_rate": {"numerator": 30000, "denominator": 1001}}}) == 33_366_666
    assert slack_of({"essence_parameters": {"sample_rate": 48000}}) == slack_of({}) == 50_000_000


def test_a_part_of_which_the_bytes_are_not_known_is_a_gap() -> None:
    """Its URI is not that of the object, of which some players would play all."""
    found = written([segment(0, NS), segment(NS, 2 * NS)._replace(is_gap=True)])
    assert [each.is_gap for each in found.segments] == [False, True]
    assert found.segments[1].uri == "gap.ts"


@pytest.mark.parametrize(
    ("most", "expected"), [(9, [1] * 7), (7, [1] * 7), (4, [2, 2, 2, 1]), (3, [3, 3, 1]), (1, [7])]
)
def test_segments_are_thinned_evenly(most: int, expected: list[int]) -> None:
    found = thinned(seconds(*((n, n + 1) for n in range(7))), most)
    assert [each.duration // NS for each in found] == expected


@pytest.mark.parametrize(
    ("segments", "most", "expected"),
    [
        ([*seconds((0, 1), (1, 2), init="a"), *seconds((2, 3), (3, 4), init="b")], 3, [(0, 2), (2, 4)]),
        (seconds((0, 1), (100, 101), (200, 201), (201, 202)), 3, [(0, 1), (100, 101), (200, 202)]),
        (seconds((0, 1), (100, 101), (200, 201), (201, 202)), 1, [(0, 1), (100, 101), (200, 202)]),
    ],
)
def test_none_stands_for_what_lies_beyond_a_break(
    segments: list[MediaSegment], most: int, expected: list[tuple[int, int]]
) -> None:
    assert [(each.start // NS, each.end // NS) for each in thinned(segments, most)] == expected
