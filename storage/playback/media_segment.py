"""The segments of a playlist, and where the media of one continues that of the segment before."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from storage.playback.essence import frame_rate
from storage.timerange import NS, parse_timerange, parse_timestamp

JITTER_NS: Final = 1_000_000
"""Times are rounded to the clock of the container, at worst to milliseconds. Smaller differences are no gap, and no
other offset."""
_SOUND_FRAME_NS: Final = 50_000_000
"""The longest coded frame of sound: 2,048 samples at 44.1 kHz take 46.4 ms."""


@dataclass(frozen=True, slots=True)
class MediaSegment:
    """A segment on the timeline of a flow, in [start, end), and the object whose media fills it.

    Times are in ns. ts_offset: from the timeline of the file to that of the flow. init_object_id: None without one.
    """

    start: int
    end: int
    object_id: str
    init_object_id: str | None = None
    ts_offset: int = 0

    @property
    def duration(self) -> int:
        """In ns."""
        return self.end - self.start

    def is_same(self, other: "MediaSegment") -> bool:
        """Whether this is the other segment, and not another one that was written at its place."""
        return (self.start, self.object_id) == (other.start, other.object_id)


def media_segment(row: Mapping[str, Any], slack: int) -> MediaSegment | None:
    """The segment in a row of the table `segments`; None if it uses only a part of its object.

    slack: how much of the object may lie outside the segment, in ns, at either end (`slack_of`).
    """
    doc = row["doc"]
    offset = parse_timestamp(doc["ts_offset"]) if "ts_offset" in doc else 0
    start, end = row["start_ns"], row["end_ns"]
    if doc["object_timerange"] != row["timerange"] or offset:
        first, last = parse_timerange(doc["object_timerange"]).bounds
        if first + offset <= start - slack or last + offset >= end + slack:
            return None
    if doc.get("sample_offset"):
        return None
    return MediaSegment(start, end, row["object_id"], row["init_object_id"], offset)


def slack_of(flow: Mapping[str, Any]) -> int:
    """How much of an object outside its segment players may present too, in ns: less than one picture of the flow.

    In a file of several essences they do not begin and end together, since their frames have different lengths. Sound
    is used in whole frames, and its encoders begin with one that is not to be heard. flow: its document.
    """
    rate = frame_rate(flow)
    return int(NS / rate) if rate is not None else _SOUND_FRAME_NS


def continues(before: MediaSegment, segment: MediaSegment) -> bool:
    """Whether a player can go on from one segment to the next: same init object, same offset, no gap."""
    return (
        before.init_object_id == segment.init_object_id
        and abs(segment.ts_offset - before.ts_offset) < JITTER_NS
        and segment.start - before.end < JITTER_NS
    )


def without_jitter(segments: Iterable[MediaSegment], before: MediaSegment | None = None) -> Iterator[MediaSegment]:
    """The segments, each of which begins where the one that it continues ends, so that durations add up exactly.

    What comes later so changes no segment that players know already. before: the one before the first, which need not
    be listed itself.
    """
    for segment in segments:
        if before is not None and segment.start != before.end and continues(before, segment):
            yield replace(segment, start=before.end)
        else:
            yield segment
        before = segment
