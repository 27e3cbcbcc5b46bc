"""The numbers of segments in a live playlist: one more for each, the same in every process and after each restart.

They are counted from an anchor: one segment whose number is stored. A window of the flow that contains the anchor is
numbered from it in both directions, so that segments may be deleted at the beginning of the flow without renumbering
what follows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage.playback.media_segment import MediaSegment, continues
from storage.timerange import NS

SEED: Final = 20_000
"""Leaves room for the segments before the first anchor of a flow; no playlist has more."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A segment and its numbers. sequence: its media sequence number. discontinuity: its discontinuity sequence
    number."""

    segment: MediaSegment
    sequence: int
    discontinuity: int

    def document(self) -> dict[str, Any]:
        """As it is stored. Segments that use a part of an object have no numbers."""
        segment = self.segment._asdict()
        del segment["byte_range"], segment["is_gap"]
        return {"segment": segment, "sequence": self.sequence, "discontinuity": self.discontinuity}


def read_anchor(document: Mapping[str, Any]) -> Anchor:
    """The anchor that was stored so."""
    segment = MediaSegment(**document["segment"])
    return Anchor(segment, document["sequence"], document["discontinuity"])


def first_anchor(segment: MediaSegment, former: Anchor | None = None) -> Anchor:
    """An anchor at a segment that no player can know by another number.

    former: the last anchor of the flow, if it is so old that nobody plays what follows it. Numbers never go back.
    """
    least, discontinuity = (0, 0) if former is None else (former.sequence, former.discontinuity)
    return Anchor(segment, SEED + max(segment.start // NS, least, 0), max(SEED, discontinuity + 1))


def numbered(segments: Sequence[MediaSegment], anchor: Anchor) -> list[Anchor]:
    """The segments with their numbers. segments: in order, without a gap to the anchor, which may have been deleted."""
    after = [each for each in segments if each.start > anchor.segment.start]
    until = segments[: len(segments) - len(after)]
    found: list[Anchor] = []
    last = anchor
    for segment in after:
        last = Anchor(segment, last.sequence + 1, last.discontinuity + (not continues(last.segment, segment)))
        found.append(last)
    before: list[Anchor] = []
    following = anchor
    for segment in reversed(until):
        if segment.start == anchor.segment.start:
            following = Anchor(segment, anchor.sequence, anchor.discontinuity)
        else:
            interrupted = not continues(segment, following.segment)
            following = Anchor(segment, following.sequence - 1, following.discontinuity - interrupted)
        before.append(following)
    return [*reversed(before), *found]
