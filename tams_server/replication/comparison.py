"""Compare the segments of a flow at both servers by merging two listings, which are in the order of time.

Holds one segment of each at a time, whatever the length of the flow.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeAlias

from storage.timerange import EARLIEST, LATEST, TimeRange, parse_timerange, parse_timestamp
from tams_server.client.documents import Segment
from tams_server.client.errors import ClientError


@dataclass(frozen=True, slots=True)
class Same:
    """Both have the segment. other: as TO has it."""

    segment: Segment
    other: Segment


@dataclass(frozen=True, slots=True)
class Missing:
    """TO has nothing in the timerange of the segment."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class Surplus:
    """Only TO has the segment. Comes before a Conflicting that it causes."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class Conflicting:
    """TO has another segment in the timerange of the segment. other: the first such."""

    segment: Segment
    other: Segment


Difference: TypeAlias = Same | Missing | Surplus | Conflicting


@dataclass(slots=True)
class _Placed:
    segment: Segment
    start: int
    end: int
    other: Segment | None = None
    is_surplus: bool = False


async def compare(wanted: AsyncIterator[Segment], there: AsyncIterator[Segment]) -> AsyncIterator[Difference]:
    """Merge the segments that FROM has with those that TO has. Raises ClientError if a listing is not in order."""
    left, right = _in_order(wanted), _in_order(there)
    ours, theirs = await anext(left, None), await anext(right, None)
    while ours is not None or theirs is not None:
        if theirs is None or (ours is not None and ours.end <= theirs.start):
            assert ours is not None
            yield Missing(ours.segment) if ours.other is None else Conflicting(ours.segment, ours.other)
            ours = await anext(left, None)
        elif ours is None or theirs.end <= ours.start:
            if not theirs.is_surplus:
                yield Surplus(theirs.segment)
            theirs = await anext(right, None)
        elif are_same(ours.segment, theirs.segment):
            yield Same(ours.segment, theirs.segment)
            ours, theirs = await anext(left, None), await anext(right, None)
        else:
            ours.other = ours.other or theirs.segment
            if not theirs.is_surplus:
                theirs.is_surplus = True
                yield Surplus(theirs.segment)
            if theirs.end <= ours.end:
                theirs = await anext(right, None)
            else:
                yield Conflicting(ours.segment, ours.other)
                ours = await anext(left, None)


async def _in_order(segments: AsyncIterator[Segment]) -> AsyncIterator[_Placed]:
    last = EARLIEST
    async for segment in segments:
        start, end = bounds(segment)
        if start < last:
            raise ClientError(
                f"the segments are not listed in the order of time: {segment['timerange']} comes too late"
            )
        last = start
        yield _Placed(segment, start, end)


def bounds(segment: Segment) -> tuple[int, int]:
    """The timerange of a segment as start (inclusive) and end (exclusive), in ns."""
    parsed = parse_timerange(segment["timerange"])
    return EARLIEST if parsed.start is None else parsed.start, LATEST if parsed.end is None else parsed.end


def span(first: Segment, last: Segment) -> TimeRange:
    """The timerange from the start of one segment to the end of another."""
    return TimeRange(bounds(first)[0], bounds(last)[1])


def are_same(one: Segment, other: Segment) -> bool:
    """Whether two segments place the same samples of the same object at the same time.

    Samples count only if both state them: they are deprecated in favour of timeranges, and may be left out.
    """
    if one["object_id"] != other["object_id"] or bounds(one) != bounds(other):
        return False
    if parse_timestamp(one.get("ts_offset", "0:0")) != parse_timestamp(other.get("ts_offset", "0:0")):
        return False
    durations = one.get("last_duration"), other.get("last_duration")
    if durations[0] and durations[1] and parse_timestamp(durations[0]) != parse_timestamp(durations[1]):
        return False
    return one.get("sample_offset", 0) == other.get("sample_offset", 0) and one.get("sample_count") == other.get(
        "sample_count"
    )
