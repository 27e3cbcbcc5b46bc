"""The segments of a playlist, and where the media of one continues that of the segment before."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from storage.playback.essence import frame_rate
from storage.playback.sound_frames import LONGEST_NS
from storage.timerange import NS, parse_timerange, parse_timestamp

JITTER_NS: Final = 1_000_000
"""Times are rounded to the clock of the container, at worst to milliseconds. Smaller differences are no gap, and no
other offset."""


class MediaSegment(NamedTuple):
    """A segment on the timeline of a flow, in [start, end), and the object whose media fills it.

    A tuple, since a playlist has thousands. Times are in ns. ts_offset: from the timeline of the file to that of the
    flow. init_object_id: None without one. byte_range: the first byte of the object that is used, and the one after the
    last; None for all.
    is_gap: whether it uses a part of its object of which the bytes are not known.
    """

    start: int
    end: int
    object_id: str
    init_object_id: str | None = None
    ts_offset: int = 0
    byte_range: tuple[int, int] | None = None
    is_gap: bool = False

    @property
    def duration(self) -> int:
        """In ns."""
        return self.end - self.start

    def is_same(self, other: "MediaSegment") -> bool:
        """Whether this is the other segment, and not another one that was written at its place."""
        return (self.start, self.object_id) == (other.start, other.object_id)


@dataclass(frozen=True, slots=True)
class Part:
    """A segment that uses only a part of its object.

    object_start: where the object begins on its own timeline. start, end: of the part on that timeline; None where the
    object itself begins or ends. All in ns.
    """

    segment: MediaSegment
    object_start: int
    object_duration: int
    start: int | None
    end: int | None


def media_segment(row: Mapping[str, Any], slack: int) -> MediaSegment | None:
    """The segment in a row of the table `segments`; None if it uses only a part of its object. slack: see below."""
    found = read_segment(row, slack)
    return found if isinstance(found, MediaSegment) else None


def read_segment(row: Mapping[str, Any], slack: int) -> MediaSegment | Part | None:
    """The segment in a row of the table `segments`; None if it uses samples by their number, as in early TAMS.

    slack: how much of the object may lie outside the segment, in ns, at either end (`slack_of`).
    """
    doc = row["doc"]
    if doc.get("sample_offset"):
        return None
    offset = parse_timestamp(doc["ts_offset"]) if "ts_offset" in doc else 0
    start, end = row["start_ns"], row["end_ns"]
    segment = MediaSegment(start, end, row["object_id"], row["init_object_id"], offset)
    if doc["object_timerange"] != row["timerange"] or offset:
        first, last = parse_timerange(doc["object_timerange"]).bounds
        is_cut = first + offset <= start - slack, last + offset >= end + slack
        if any(is_cut):
            used = [time - offset if cut else None for time, cut in zip((start, end), is_cut, strict=True)]
            return Part(segment, first, last - first, *used)
    return segment


def slack_of(flow: Mapping[str, Any]) -> int:
    """How much of an object outside its segment players may present too, in ns: less than one picture of the flow.

    In a file of several essences they do not begin and end together, since their frames have different lengths. Sound
    is used in whole frames, and its encoders begin with one that is not to be heard. flow: its document.
    """
    rate = frame_rate(flow)
    return int(NS / rate) if rate is not None else LONGEST_NS


def continues(before: MediaSegment, segment: MediaSegment) -> bool:
    """Whether a player can go on from one segment to the next: same init object, same offset, no gap."""
    return (
        before.init_object_id == segment.init_object_id
        and -JITTER_NS < segment.ts_offset - before.ts_offset < JITTER_NS
        and segment.start - before.end < JITTER_NS
    )


def without_jitter(segments: Iterable[MediaSegment], before: MediaSegment | None = None) -> list[MediaSegment]:
    """The segments, each of which begins where the one that it continues ends, so that durations add up exactly.

    What comes later so changes no segment that players know already. before: the one before the first, which need not
    be listed itself.
    """
    found: list[MediaSegment] = []
    for segment in segments:
        if before is not None and segment.start != before.end and continues(before, segment):
            found.append(segment._replace(start=before.end))
        else:
            found.append(segment)
        before = segment
    return found


def thinned(segments: Sequence[MediaSegment], most: int) -> list[MediaSegment]:
    """Some of the segments, evenly chosen, each of which stands for those that follow until the next.

    None stands for what does not continue it, so that there may be more than `most` if media breaks often.
    """
    runs: list[list[MediaSegment]] = []
    for segment in segments:
        if runs and continues(runs[-1][-1], segment):
            runs[-1].append(segment)
        else:
            runs.append([segment])
    steps = range(1, len(segments) + 1)
    # The least step by which there are not too many groups, each run of which may end with one that is not full.
    step = 1 + bisect_left(steps, -most, key=lambda step: -sum(-(-len(run) // step) for run in runs))
    groups = (run[start : start + step] for run in runs for start in range(0, len(run), step))
    return [group[0]._replace(end=group[-1].end) for group in groups]
