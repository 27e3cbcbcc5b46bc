"""The segments of a flow that a media playlist lists: those of a timerange, or of a live window."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from storage import error_codes
from storage.catalog.flows.content_range import CONTENT_COLUMNS, in_content_range
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.errors import Invalid
from storage.playback.media_segment import MediaSegment, Part, media_segment, read_segment
from storage.playback.numbering import SEED
from storage.tables.conditions import Compare, Condition, equals
from storage.tables.rows import FlowRow, SegmentRow
from storage.tables.transaction import Reader
from storage.timerange import TimeRange

FLOW_COLUMNS = ("id", "status", "created", "metadata_updated", "segments_updated", *CONTENT_COLUMNS, "doc")
MOST_SEGMENTS: Final = SEED
"""In one playlist: eleven hours of two seconds each."""
_COUNTED_AFTER: Final = 2_000
"""After so many segments, the rest are counted by their keys before they are read."""
_FEWEST_LIVE: Final = 4
_MOST_PASSED: Final = 500
_PAGE: Final = 500
SEGMENT_COLUMNS = ("start_ns", "end_ns", "timerange", "object_id", "init_object_id", "doc")


@dataclass(frozen=True, slots=True)
class Media:
    """Segments in order of time.

    left_out: how many more there are that use only a part of their object.
    before: the segment before those of a window, if it could be listed.
    parts: those of the segments that are left out of which the bytes may be found.
    """

    segments: list[MediaSegment]
    left_out: int = 0
    before: MediaSegment | None = None
    parts: Sequence[Part] = ()

    def with_parts(self, found: Sequence[MediaSegment]) -> "Media":
        """The same with segments of which the bytes have been found."""
        if not found:
            return self
        segments = sorted((*self.segments, *found), key=lambda each: each.start)
        return replace(self, segments=segments, left_out=self.left_out - len(found))


def overlapping(flow: FlowRow, timerange: TimeRange) -> list[Condition]:
    """Conditions for the segments of a flow that overlap a timerange."""
    return [*SegmentFilter(timerange).overlapping(flow["id"]), *in_content_range(flow)]


def read_timerange(tx: Reader, flow: FlowRow, timerange: TimeRange, slack: int) -> Media:
    """The segments that overlap a timerange. slack: as for `read_segment`.

    Raises: Invalid for more than MOST_SEGMENTS.
    """
    where = overlapping(flow, timerange)
    found: list[MediaSegment | Part | None] = []
    for rows in [] if timerange.is_empty else _pages(tx, where):
        was_counted = len(found) >= _COUNTED_AFTER
        found += [read_segment(row, slack) for row in rows]
        if len(found) >= _COUNTED_AFTER and not was_counted:
            _check_rest(tx, where, len(found), rows[-1]["start_ns"])
    media = _media(found)
    return replace(media, parts=[each for each in found if isinstance(each, Part)]) if media.left_out else media


def read_window(tx: Reader, flow: FlowRow, timerange: TimeRange, slack: int, window_ns: int) -> Media:
    """The last segments that overlap a timerange: those of the last `window_ns`, and _FEWEST_LIVE at least.

    Segments that use only a part of their object do not count, but not more than _MOST_PASSED of them are looked at
    beyond the window.

    Raises: Invalid for more than MOST_SEGMENTS.
    """
    where = overlapping(flow, timerange)
    found: list[MediaSegment | None] = []
    listed = passed = 0
    first: int | None = None
    before: MediaSegment | None = None
    for row in [] if timerange.is_empty else _rows(tx, where, descending=True):
        first = row["end_ns"] - window_ns if first is None else first
        if row["end_ns"] <= first:
            if listed >= _FEWEST_LIVE or passed >= _MOST_PASSED:
                before = media_segment(row, slack)
                break
            passed += 1
        segment = media_segment(row, slack)
        found.append(segment)
        listed += segment is not None
    return replace(_media(found[::-1]), before=before)


def read_between(tx: Reader, flow_id: str, after: int, before: int, slack: int, most: int) -> list[MediaSegment] | None:
    """The segments that start after `after` and before `before`, in ns; None if there are more than `most`."""
    where = [*equals(flow_id=flow_id), Compare("start_ns", ">", after), Compare("start_ns", "<", before)]
    found: list[MediaSegment] = []
    for number, row in enumerate(_rows(tx, where)):
        if number >= most:
            return None
        segment = media_segment(row, slack)
        found += [] if segment is None else [segment]
    return found


def _media(found: Sequence[MediaSegment | Part | None]) -> Media:
    segments = [each for each in found if isinstance(each, MediaSegment)]
    return Media(segments, len(found) - len(segments))


def _rows(tx: Reader, where: Sequence[Condition], *, descending: bool = False) -> Iterator[SegmentRow]:
    """The rows in order of time, read a page at a time. Raises: Invalid for more than MOST_SEGMENTS."""
    return chain.from_iterable(_pages(tx, where, descending=descending))


def _pages(tx: Reader, where: Sequence[Condition], *, descending: bool = False) -> Iterator[list[SegmentRow]]:
    """The rows in order of time, in pages. Raises: Invalid for more than MOST_SEGMENTS."""
    page = min(_PAGE, tx.max_fetched or _PAGE)
    after: list[int] | None = None
    count = 0
    while True:
        rows = tx.select(
            "segments",
            where,
            order=("start_ns",),
            descending=descending,
            after=after,
            limit=page,
            columns=SEGMENT_COLUMNS,
        )
        count += len(rows)
        check_count(count)
        yield rows
        if len(rows) < page:
            return
        after = [rows[-1]["start_ns"]]


def _check_rest(tx: Reader, where: Sequence[Condition], count: int, last: int) -> None:
    """Check that not too many segments follow the first `count`, which end with the one that starts at `last`.

    Raises: Invalid.
    """
    limit = max(MOST_SEGMENTS - count + 1, 1)
    rest = tx.select("segments", where, order=("start_ns",), after=[last], limit=limit, columns=["start_ns"])
    check_count(count + len(rest))


def check_count(count: int) -> None:
    """Raises: Invalid for more than MOST_SEGMENTS."""
    if count > MOST_SEGMENTS:
        raise Invalid(
            f"a playlist has at most {MOST_SEGMENTS} segments, and there are more; give a shorter timerange",
            code=error_codes.TOO_MANY_SEGMENTS,
            field="timerange",
        )
