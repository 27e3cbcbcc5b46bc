"""The text of DASH manifests, held against the rules of DASH."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from storage.playback.manifest import Clock, Representation, write_manifest
from storage.playback.media_segment import MediaSegment
from storage.playback.periods import Period, Run, periods_of, runs_of
from storage.timerange import NS
from tests.conformance.kit.documents import AUDIO, VIDEO, flow
from tests.playback.dash_rules import Manifest, check_reload, read_manifest

US = 1_000_000
TODAY = 1_800_000_000
CLOCK = Clock(
    0, 37 * NS, None, TODAY * US, TODAY * US, 60, 2, "https://tams.example/flows/a/output.mpd?type=live&exp=1&sig=a"
)


def representation(format_: str = VIDEO, timescale: int = 90_000, **members: Any) -> Representation:
    codecs = ["avc1.64001f"] if format_ == VIDEO else ["mp4a.40.2"]
    return Representation(flow(format_, **members), codecs, 1000, timescale)


def segments(*times: int, init: str = "init", ts_offset: int = 0) -> list[MediaSegment]:
    """Two seconds from each of these seconds on."""
    return [MediaSegment(at * NS, (at + 2) * NS, f"{init}-{at}", init, ts_offset * NS) for at in times]


def runs(found: list[MediaSegment], *, over_gaps: bool = False) -> list[Run]:
    return runs_of(found, _urls(found), None, over_gaps=over_gaps)


def _urls(found: list[MediaSegment]) -> dict[str, str | None]:
    ids = {id_ for each in found for id_ in (each.object_id, each.init_object_id) if id_}
    return {id_: f"https://media.example/{id_}?a=1&b=2" for id_ in ids}


def written(
    *flows: list[MediaSegment], clock: Clock | None = None, complete: bool = True, parts: Any = None
) -> Manifest:
    periods: list[Period] = periods_of([runs(each, over_gaps=clock is not None) for each in flows])
    parts = parts or [representation(VIDEO if n == 0 else AUDIO) for n in range(len(flows))]
    urls = _urls([each for found in flows for each in found])
    return read_manifest(write_manifest(parts, periods, urls, clock, complete=complete))


def test_a_static_presentation_passes_over_gaps() -> None:
    found = written(segments(10, 12, 20))
    assert [(each.start, each.end) for each in found.periods] == [(0, 4), (4, 6)]
    assert [(each.start, each.media_start) for each in found.pieces()] == [(0, 10), (2, 12), (4, 20)]
    assert found.pieces()[0].url == "https://media.example/init-10?a=1&b=2"
    assert (found.location, found.time) == (None, None)


def test_a_dynamic_presentation_has_gaps() -> None:
    found = written(segments(100, 102, 110), clock=CLOCK, complete=False)
    assert [each.start for each in found.pieces()] == [63, 65, 73]
    assert found.location == CLOCK.location
    assert found.attributes["availabilityStartTime"] == "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize("ts_offset", [0, 50, -50])
def test_segments_of_a_sliding_window_stay_where_they_are(ts_offset: int) -> None:
    times = [100 + 2 * n for n in range(20) if n % 7 != 3]
    windows = [segments(*times[n : n + 6], ts_offset=ts_offset) for n in range(10)]
    last = written(windows[0], clock=CLOCK, complete=False)
    for window in windows[1:]:
        found = written(window, clock=CLOCK, complete=False)
        check_reload(last, found)
        last = found


def test_flows_of_different_clocks_are_in_sync() -> None:
    found = written(segments(100, 102, ts_offset=100), segments(100, 102, init="sound", ts_offset=-20), clock=CLOCK)
    video, sound = found.periods[0].tracks
    assert [each.start for each in video.pieces] == [each.start for each in sound.pieces] == [63, 65]
    assert [each.media_start for each in video.pieces + sound.pieces] == [0, 2, 120, 122]


def test_periods_have_ids_that_differ_and_last() -> None:
    found = [*segments(100, 102), *segments(104, 106, init="other"), *segments(108)]
    before = written(found, clock=CLOCK, complete=False)
    after = written(found[1:], clock=CLOCK, complete=False)
    assert [each.id for each in before.periods] == [each.id for each in after.periods]
    assert len({each.id for each in before.periods}) == 3
    check_reload(before, after)


def test_times_are_exact_in_the_timescale() -> None:
    frame = Fraction(1001 * NS, 30000)
    times = [TODAY * NS + round(60 * n * frame) for n in range(101)]
    found = [MediaSegment(start, end, f"a-{n}", "init") for n, (start, end) in enumerate(pairwise(times))]
    manifest = written(found, parts=[representation(timescale=30_000)])
    begin = manifest.pieces()[0].media_start
    assert [each.start for each in manifest.pieces()] == [Fraction(60 * n * 1001, 30000) for n in range(100)]
    assert abs(begin - TODAY) <= Fraction(1, 60_000)


def test_parts_of_objects_have_ranges() -> None:
    found = [MediaSegment(0, NS, "a", "init", 0, (0, 100)), MediaSegment(NS, 2 * NS, "a", "init", 0, (100, 250))]
    assert [each.byte_range for each in written(found).pieces()] == [(0, 100), (100, 250)]


def test_players_do_not_change_between_codecs_that_are_not_known() -> None:
    parts = [Representation(flow(codec=codec), [], 1000, 90_000) for codec in ("video/AV1", "video/av1", "video/VP9")]
    sets = [each.set for each in parts]
    assert sets[0] == sets[1] != sets[2]


def test_labels_are_text() -> None:
    tags = {"hls_name": 'a<b>&"c\x01\ud800', "hls_language": "no language"}
    found = written(segments(0), parts=[representation(tags=tags)])
    [track] = found.periods[0].tracks
    assert track.label == "a<b>& c  "
    assert "lang" not in track.attributes


@pytest.mark.parametrize("value", [None, "25", [], {"numerator": 0}, {"numerator": "1"}, -1, 2.5, True])
def test_parameters_of_another_kind_are_left_out(value: object) -> None:
    """As TAMS_VALIDATION_LEVEL=relaxed has stored them."""
    names = ("frame_rate", "frame_width", "channels", "sample_rate")
    parts = [representation(essence_parameters=dict.fromkeys(names, value))]
    [track] = written(segments(0), parts=parts).periods[0].tracks
    assert not {"frameRate", "width", "audioSamplingRate"} & track.attributes.keys()
