"""Gaps in live playlists, and the numbers of what follows them."""

from itertools import pairwise

import pytest

from storage.playback.gaps import LONGEST_NS, SHORTEST_NS, with_gaps
from storage.playback.media_segment import JITTER_NS, MediaSegment, continues
from storage.playback.numbering import Anchor, numbered
from storage.timerange import NS


def media(start: int, end: int, **members: str | int) -> MediaSegment:
    return MediaSegment(start, end, f"object-{start}", **members)  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [NS // 3, NS, 2 * NS, 2_002_000_000])
@pytest.mark.parametrize("missing", [SHORTEST_NS, NS // 2, NS, 2 * NS, 4_004_000_001, 7 * NS + 1, LONGEST_NS])
def test_gaps_fill_what_is_missing_and_are_no_longer_than_segments(length: int, missing: int) -> None:
    before = media(0, length)
    after = media(length + missing, 2 * length + missing)
    first, *gaps, last = with_gaps([before, after])
    assert (first, last) == (before, after)
    assert all(each.is_gap for each in gaps)
    assert sum(each.duration for each in gaps) == missing
    assert max(each.duration for each in gaps) <= max(length, NS) + JITTER_NS
    filled = [before, *gaps, after]
    assert all(continues(one, other) for one, other in pairwise(filled))
    assert list(with_gaps(filled)) == filled
    # As many as segments would be.
    if missing % length == 0 and length >= NS:
        assert len(gaps) == missing // length


@pytest.mark.parametrize(
    "after",
    [
        media(2 * NS, 4 * NS),
        media(2 * NS + SHORTEST_NS - 1, 4 * NS),
        media(4 * NS, 6 * NS, init_object_id="init"),
        media(4 * NS, 6 * NS, ts_offset=NS),
        media(2 * NS + LONGEST_NS + 1, 4 * NS + LONGEST_NS),
    ],
)
def test_there_are_no_gaps_where_nothing_is_missing_or_media_changes(after: MediaSegment) -> None:
    assert list(with_gaps([media(0, 2 * NS), after])) == [media(0, 2 * NS), after]


def test_every_part_of_a_flow_has_the_same_numbers() -> None:
    flow = [media(n * NS, (n + 2) * NS) for n in (0, 2, 9, 11, 18, 27, 29)]
    whole = numbered(list(with_gaps(flow)), Anchor(flow[0], 100, 5))
    numbers = {each.segment: (each.sequence, each.discontinuity) for each in whole}
    assert list(numbers.values()) == [(100 + n, 5) for n in range(len(whole))]
    for first in range(1, len(flow)):
        before = flow[first - 1]
        found = numbered(list(with_gaps(flow[first:], before)), Anchor(before, *numbers[before]))
        assert {each.segment: (each.sequence, each.discontinuity) for each in found}.items() <= numbers.items()
