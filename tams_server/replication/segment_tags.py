"""Copying the tags of segments (F14), which are an extension of TAMS 8.2, to a server that has this extension."""

from typing import Any

from tams_server.client import ApiError, AsyncClient, ClientError, NotFound, calls
from tams_server.client.documents import Segment
from tams_server.replication.comparison import are_same, span
from tams_server.replication.problems import Problem
from tams_server.replication.report import Report

_UNKNOWN = (404, 405, 501)
"""Statuses of a server without the operation."""


class SegmentTagWriter:
    """Writes the tags of segments at TO.

    delete: also remove the tags that only TO has. is_accepted: False once TO has turned out not to know tags of
    segments. They are then skipped, which is reported once.
    """

    def __init__(self, target: AsyncClient, report: Report, *, delete: bool) -> None:
        self._target = target
        self._report = report
        self._delete = delete
        self.is_accepted = True

    def has_work(self, wanted: Segment, there: Segment) -> bool:
        """Whether tags have to be written for the segment at TO to be the same."""
        return self.is_accepted and any(self._differences(wanted, there))

    async def write(self, flow_id: str, wanted: Segment, there: Segment) -> bool:
        """Write the tags of a segment that both have. Returns whether there is no problem with them."""
        try:
            found = self._calls(flow_id, wanted, there)
        except ClientError as error:
            self._report.tell(Problem(f"a tag of segment {wanted['timerange']}: {error}"), f"flow {flow_id}")
            return False
        for call in found:
            try:
                await self._target.send(call)
            except ApiError as error:
                if error.status not in _UNKNOWN:
                    problem = Problem(f"TO does not take a tag of segment {wanted['timerange']}: {error.reason}")
                    self._report.tell(problem, f"flow {flow_id}")
                    return False
                if not isinstance(error, NotFound) or await self._is_there(flow_id, there):
                    self.leave_out()
                break
        return True

    def leave_out(self) -> None:
        """Take note that TO does not know tags of segments."""
        if self.is_accepted:
            self.is_accepted = False
            self._report.say("TO does not take tags of segments, which are left out")

    def _calls(self, flow_id: str, wanted: Segment, there: Segment) -> list[calls.Call[Any]]:
        timerange = there["timerange"]
        changed, surplus = self._differences(wanted, there)
        return [
            *(calls.set_segment_tag(flow_id, timerange, name, value) for name, value in changed.items()),
            *(calls.delete_segment_tag(flow_id, timerange, name) for name in surplus),
        ]

    def _differences(self, wanted: Segment, there: Segment) -> tuple[dict[str, str | list[str]], list[str]]:
        """The tags to be set at TO, and the names of those to be removed there."""
        ours, theirs = wanted.get("tags", {}), there.get("tags", {})
        changed = {name: value for name, value in ours.items() if theirs.get(name) != value}
        return changed, sorted(theirs.keys() - ours.keys()) if self._delete else []

    async def _is_there(self, flow_id: str, segment: Segment) -> bool:
        """Whether TO still has the segment, so that a 404 is about its tags."""
        listing = calls.segments(flow_id, span(segment, segment), with_urls=False)
        return any([are_same(segment, each) async for each in self._target.iterate(listing)])
