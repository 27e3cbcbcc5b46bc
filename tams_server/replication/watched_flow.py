"""What the passes of a run have learnt about one flow, and which part of it the next pass has to compare."""

import time
from dataclasses import dataclass, field

from storage.timerange import TimeRange
from tams_server.client.documents import Flow, Segment
from tams_server.replication.comparison import bounds

_WHOLE_EVERY_S = 60.0
_WITH_PROBLEMS_EVERY_S = 5.0
_WHOLE_SHARE = 20
"""The whole of a flow is compared again after this time, but at most for one part in so many of the time."""


@dataclass(slots=True)
class WatchedFlow:
    """A flow at FROM. flow: its latest document. is_caught_up: TO has had all of it. has_problems: TO lacks some of it.

    missing: passes in a row in which FROM did not have it.
    """

    flow: Flow
    is_caught_up: bool = False
    has_problems: bool = False
    missing: int = 0
    _end: int | None = None
    _updated: str | None = None
    _whole_after: float = 0.0
    _hinted: list[TimeRange] = field(default_factory=list)

    def hint(self, timerange: TimeRange) -> None:
        """Segments have changed in a timerange."""
        self._hinted.append(timerange)

    def note(self, segment: Segment) -> None:
        """FROM has a segment."""
        end = bounds(segment)[1]
        self._end = end if self._end is None else max(end, self._end)

    def ranges(self, whole: TimeRange) -> list[TimeRange]:
        """The timeranges to compare: all of the flow from time to time, else where changes are likely.

        These are what events have told, and what follows the last known segment once segments_updated has changed, or
        always if the server does not have it.
        """
        hinted, self._hinted = self._hinted, []
        updated, self._updated = self._updated, self.flow.get("segments_updated")
        if self._end is None or time.monotonic() >= self._whole_after:
            return [whole]
        if updated is None or updated != self._updated:
            hinted.append(TimeRange(self._end, None))
        return [part for each in hinted if not (part := each.intersection(whole)).is_empty]

    def compared_whole(self, took_s: float) -> None:
        """All of the flow has been compared, in so many seconds."""
        pause = _WITH_PROBLEMS_EVERY_S if self.has_problems else _WHOLE_EVERY_S
        self._whole_after = time.monotonic() + max(pause, _WHOLE_SHARE * took_s)
