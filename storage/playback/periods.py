"""Periods of a presentation (ISO/IEC 23009-1, 5.3.2): spans of time in which no flow of a programme breaks."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter

from storage.playback.media_segment import JITTER_NS, MediaSegment, continues, without_jitter

_start = attrgetter("start")


@dataclass(frozen=True, slots=True)
class Run:
    """Segments of one flow in order, all with the same init object and the same offset; one at least."""

    segments: Sequence[MediaSegment]

    @property
    def start(self) -> int:
        """In ns."""
        return self.segments[0].start

    @property
    def end(self) -> int:
        """In ns."""
        return self.segments[-1].end

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where each segment begins and ends, in ns."""
        return [(each.start, each.end) for each in self.segments]

    @property
    def longest(self) -> int:
        """The duration of the longest segment, in ns."""
        return max([each.end - each.start for each in self.segments])

    @property
    def ts_offset(self) -> int:
        """In ns."""
        return self.segments[0].ts_offset


@dataclass(frozen=True, slots=True)
class Period:
    """From start to end on the timeline, in ns. runs: what each flow has in it, in their order; None for nothing."""

    start: int
    end: int
    runs: Sequence[Run | None]


def runs_of(
    segments: Iterable[MediaSegment], urls: Mapping[str, str | None], before: MediaSegment | None, *, over_gaps: bool
) -> list[Run]:
    """The segments of a flow that can be fetched, in runs. before: as for `without_jitter`.

    over_gaps: whether a gap does not end a run. Media whose own time is below zero is left out.
    """
    runs: list[list[MediaSegment]] = []
    for segment in without_jitter(segments, before):
        init_id = segment.init_object_id
        if urls[segment.object_id] is None or (init_id is not None and urls[init_id] is None):
            continue
        if segment.start < segment.ts_offset:
            continue
        if runs and _belongs(segment, runs[-1], over_gaps=over_gaps):
            runs[-1].append(segment)
        else:
            runs.append([segment])
    return [Run(each) for each in runs]


def _belongs(segment: MediaSegment, run: Sequence[MediaSegment], *, over_gaps: bool) -> bool:
    first = run[0]
    if segment.init_object_id != first.init_object_id:
        return False
    if not -JITTER_NS < segment.ts_offset - first.ts_offset < JITTER_NS:
        return False
    return over_gaps or continues(run[-1], segment)


def periods_of(flows: Sequence[Sequence[Run]]) -> list[Period]:
    """The periods of a programme, by the runs of its flows, the first of which leads: where it has nothing is none.

    A period begins where a run does; those of the other flows at the nearest segment of the first, since a picture that
    is no key frame begins nothing. Where that would be the end of the first, it is not there yet.
    """
    leader = flows[0]
    if not leader:
        return []
    places = [*(segment.start for run in leader for segment in run.segments), leader[-1].end]
    starts = {run.start for run in leader}
    for run in (run for runs in flows[1:] for run in runs):
        if leader[0].start < run.start < leader[-1].end:
            index = bisect_left(places, run.start)
            starts.add(min(places[max(index - 1, 0) : index + 1], key=lambda each: abs(each - run.start)))
    starts.discard(leader[-1].end)
    periods = []
    for start, following in pairwise((*sorted(starts), leader[-1].end)):
        end = min(leader[bisect_right(leader, start, key=_start) - 1].end, following)
        periods.append(Period(start, end, [_in_span(runs, start, end) for runs in flows]))
    return [each for each in periods if each.runs[0] is not None]


def _in_span(runs: Sequence[Run], start: int, end: int) -> Run | None:
    """The segments of the run that has most of a span; None for one whose media counts from a later time."""
    first = max(bisect_right(runs, start, key=_start) - 1, 0)
    candidates = runs[first : bisect_left(runs, end, key=_start)]
    run = max(candidates, key=lambda each: min(each.end, end) - max(each.start, start), default=None)
    if run is None or run.ts_offset > start:
        return None
    index = max(bisect_right(run.segments, start, key=_start) - 1, 0)
    last = bisect_left(run.segments, end - JITTER_NS, key=_start)
    found = [each for each in run.segments[index:last] if each.end > start + JITTER_NS]
    return Run(found) if found else None
