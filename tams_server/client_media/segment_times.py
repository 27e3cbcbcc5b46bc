"""Where a cut lies on the timeline of its flow, and on that of its file (flow-segment-post.json).

All segments of a flow have the same ts_offset, so that players go on from one to the next without a discontinuity.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from storage.timerange import NS, TimeRange, format_timestamp
from tams_server.client.documents import Json
from tams_server.client_media.containers import TS, WAV, Container
from tams_server.client_media.segmenter import Cut
from tams_server.client_media.ticks import in_ns, whole_seconds

_LEAD_S: Final = 10
"""Files begin so late that decoding times and the priming of encoders stay positive."""
_DAY_S: Final = 86_400
"""The clock of MPEG-TS, of 33 bits, lasts 26.5 hours: it is set back once a day of media."""


@dataclass(frozen=True, slots=True)
class FlowClock:
    """From the timeline of an input to that of flows. origin: where the input begins, in seconds. start: in ns."""

    origin: Fraction
    start: int

    @property
    def base(self) -> int:
        """Nanoseconds to add to a time of the input."""
        return self.start - in_ns(self.origin, Fraction(1))

    def timerange(self, cut: Cut) -> TimeRange | None:
        """What a cut fills on the timeline of its flow; None if nothing of it is to be presented."""
        if cut.start is None or cut.end is None:
            return None
        found = TimeRange(self._in_flow(cut.start), self._in_flow(cut.end))
        return None if found.is_empty else found

    def file_shift(self, cut: Cut, container: Container) -> Fraction:
        """Seconds to add to times of the input to have those in the file of a cut."""
        if container is WAV:
            return -cut.file_span[0]
        first = whole_seconds(self.origin)
        days = whole_seconds((cut.file_span[0] - first) / _DAY_S) if container is TS else 0
        return Fraction(_LEAD_S - first - max(days, 0) * _DAY_S)

    def segment(self, cut: Cut, timerange: TimeRange, container: Container) -> Json:
        """The document of the segment, without ids of objects."""
        shift = self.file_shift(cut, container)
        offset = self.base - (round(shift * NS) if shift.denominator == 1 else in_ns(shift, Fraction(1)))
        document: Json = {"timerange": str(timerange)}
        if offset:
            document["ts_offset"] = format_timestamp(offset)
        file_start, file_end = cut.file_span
        in_file = TimeRange(self._in_flow(file_start) - offset, self._in_flow(file_end) - offset)
        if in_file.shifted(offset) != timerange:
            document["object_timerange"] = str(in_file)
        if cut.key_frames:
            document["key_frame_count"] = cut.key_frames
        return document

    def _in_flow(self, time: Fraction) -> int:
        return self.base + in_ns(time, Fraction(1))
