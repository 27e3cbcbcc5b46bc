"""Gaps in live playlists (EXT-X-GAP, draft-pantos-hls-rfc8216bis 4.4.4.7), for what is missing between segments.

The timestamps of media go on over what is missing, so that it is no discontinuity. With gaps in its place, a playlist
keeps the time and the discontinuity numbers of those of other flows, which may miss something else or nothing.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from storage.playback.media_segment import JITTER_NS, MediaSegment, continues
from storage.timerange import NS

SHORTEST_NS: Final = NS // 10
LONGEST_NS: Final = 600 * NS
"""What is missing for less or for longer is a discontinuity: a few pictures are no segment, and a playlist of gaps
alone would be of no use."""


def with_gaps(segments: Iterable[MediaSegment], before: MediaSegment | None = None) -> Iterator[MediaSegment]:
    """The segments in order, and gaps between those of the same media. before: what comes before the first, if known.

    Gaps depend on the segments on both sides alone, so that every window of a flow has the same ones.
    """
    for segment in segments:
        if before is not None:
            yield from _gaps(before, segment)
        yield segment
        before = segment


def _gaps(before: MediaSegment, after: MediaSegment) -> list[MediaSegment]:
    missing = after.start - before.end
    if not SHORTEST_NS <= missing <= LONGEST_NS or not continues(before, after._replace(start=before.end)):
        return []
    # No gap is longer than the segment before it or, if that is longer, than a second: the target duration stays.
    count = max(1, -(-(missing - JITTER_NS) // max(before.duration, NS)))
    times = [before.end + missing * number // count for number in range(count + 1)]
    return [
        MediaSegment(start, end, "", before.init_object_id, before.ts_offset, is_gap=True)
        for start, end in pairwise(times)
    ]
