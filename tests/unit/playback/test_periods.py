"""Periods of DASH, from the segments of one flow or several."""

from itertools import pairwise

from storage.playback.media_segment import MediaSegment
from storage.playback.periods import Period, Run, periods_of, runs_of
from storage.timerange import NS


def segments(*times: int, init: str = "init", ts_offset: int = 0, length: int = 2) -> list[MediaSegment]:
    """A segment from each of these seconds on."""
    return [MediaSegment(at * NS, (at + length) * NS, f"{init}-{at}", init, ts_offset * NS) for at in times]


def runs(found: list[MediaSegment], missing: str = "", *, over_gaps: bool = False) -> list[Run]:
    urls = {id_: None if id_ == missing else id_ for each in found for id_ in (each.object_id, each.init_object_id)}
    return runs_of(found, {id_ or "": url for id_, url in urls.items()}, None, over_gaps=over_gaps)


def spans(periods: list[Period]) -> list[tuple[int, int]]:
    return [(each.start // NS, each.end // NS) for each in periods]


def starts(period: Period) -> list[list[int] | None]:
    """Of the segments of each flow, in seconds."""
    return [None if run is None else [each.start // NS for each in run.segments] for run in period.runs]


def test_a_gap_ends_a_run_unless_it_is_passed_over() -> None:
    found = segments(0, 2, 6, 8)
    assert [(each.start // NS, each.end // NS) for each in runs(found)] == [(0, 4), (6, 10)]
    assert len(runs(found, over_gaps=True)) == 1


def test_another_init_object_or_offset_ends_a_run() -> None:
    found = [*segments(0, 2), *segments(4, init="other"), *segments(6, init="other", ts_offset=1)]
    for over_gaps in (False, True):
        assert [len(each.segments) for each in runs(found, over_gaps=over_gaps)] == [2, 1, 1]


def test_offsets_that_creep_end_a_run() -> None:
    """Each differs from the one before by less than a millisecond."""
    creeping = [MediaSegment(n * NS, (n + 1) * NS, str(n), None, 400_000 * n) for n in range(1, 7)]
    assert [len(each.segments) for each in runs(creeping)] == [3, 3]


def test_what_cannot_be_fetched_is_a_gap() -> None:
    assert [len(each.segments) for each in runs(segments(0, 2, 4), missing="init-2")] == [1, 1]
    assert runs(segments(0, 2), missing="init") == []


def test_media_before_its_own_zero_is_left_out() -> None:
    [run] = runs(segments(0, 2, 4, ts_offset=3))
    assert [each.start for each in run.segments] == [4 * NS]


def test_periods_begin_where_the_first_flow_breaks() -> None:
    periods = periods_of([runs(segments(0, 2, 6)), runs(segments(0, 2, 4, 6, init="sound"))])
    assert spans(periods) == [(0, 4), (6, 8)]
    assert [starts(each) for each in periods] == [[[0, 2], [0, 2]], [[6], [6]]]


def test_a_break_of_another_flow_begins_a_period_at_the_nearest_segment_of_the_first() -> None:
    sound = [*runs(segments(0, length=5, init="a")), *runs(segments(5, length=3, init="b"))]
    periods = periods_of([runs(segments(0, 2, 4, 6)), sound])
    assert spans(periods) == [(0, 4), (4, 8)]
    assert [starts(each)[1] for each in periods] == [[0], [5]]


def test_segments_that_reach_into_a_period_are_in_it() -> None:
    periods = periods_of(
        [runs([*segments(0, 2), *segments(4, 6, init="other")]), runs(segments(0, 3, 6, length=3, init="sound"))]
    )
    assert [starts(each)[1] for each in periods] == [[0, 3], [3, 6]]


def test_rounding_adds_no_segment() -> None:
    video = [MediaSegment(0, 2 * NS, "a", "init"), MediaSegment(2 * NS, 4 * NS, "b", "other")]
    sound = [MediaSegment(0, 2 * NS + 400_000, "c", "sound"), MediaSegment(2 * NS + 400_000, 4 * NS, "d", "sound")]
    periods = periods_of([runs(video), runs(sound)])
    assert [[each.object_id for each in period.runs[1].segments] for period in periods if period.runs[1]] == [
        ["c"],
        ["d"],
    ]


def test_a_flow_whose_media_counts_from_a_later_time_is_not_in_a_period() -> None:
    late = runs(segments(1, 3, init="sound", ts_offset=1))
    assert starts(periods_of([runs(segments(0, 2)), late])[0]) == [[0, 2], None]
    assert starts(periods_of([runs(segments(1, 3)), late])[0]) == [[1, 3], [1, 3]]


def test_without_the_first_flow_there_is_nothing() -> None:
    assert periods_of([[], runs(segments(0))]) == []


def test_periods_do_not_overlap() -> None:
    sound = [run for at in (1, 3, 9, 13) for run in runs(segments(at, init=f"sound-{at}"))]
    periods = periods_of([runs(segments(0, 2, 4, 8, 10, 12)), sound])
    assert all(one.end <= other.start for one, other in pairwise(periods))
