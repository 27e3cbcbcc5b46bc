"""Numbers of segments in live windows."""

import pytest

from storage.playback.media_segment import MediaSegment
from storage.playback.numbering import SEED, Anchor, first_anchor, numbered, read_anchor
from storage.timerange import NS

FLOW = [MediaSegment((2 * n + 7 * (n >= 6)) * NS, (2 * n + 2 + 7 * (n >= 6)) * NS, f"object-{n}") for n in range(12)]
"""With a gap before the seventh segment."""
EXPECTED = [(100 + n, 5 + (n >= 6)) for n in range(12)]


def numbers(found: list[Anchor]) -> list[tuple[int, int]]:
    return [(each.sequence, each.discontinuity) for each in found]


@pytest.mark.parametrize("at", range(12))
def test_segments_have_the_same_numbers_from_every_anchor(at: int) -> None:
    anchor = Anchor(FLOW[at], *EXPECTED[at])
    assert numbers(numbered(FLOW, anchor)) == EXPECTED


@pytest.mark.parametrize("at", range(12))
def test_the_anchor_may_have_been_deleted(at: int) -> None:
    anchor = Anchor(FLOW[at], *EXPECTED[at])
    assert numbers(numbered(FLOW[at + 1 :], anchor)) == EXPECTED[at + 1 :]


def test_an_anchor_is_stored_and_read() -> None:
    anchor = Anchor(MediaSegment(5, 7, "object", "init", -3), 9, 2)
    assert read_anchor(anchor.document()) == anchor


def test_first_numbers_leave_room_and_never_go_back() -> None:
    first = first_anchor(MediaSegment(-5 * NS, 0, "object"))
    assert first.sequence == first.discontinuity == SEED
    former = Anchor(FLOW[0], 2_000_000_000, 30_000)
    later = first_anchor(MediaSegment(1_900_000_000 * NS, 1_900_000_002 * NS, "object"), former)
    assert later.sequence >= former.sequence + SEED
    assert later.discontinuity > former.discontinuity
