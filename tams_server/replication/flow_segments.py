"""The segments of a flow: make those at TO the same as at FROM, in a timerange."""

from collections.abc import AsyncIterator

from storage.timerange import TimeRange
from tams_server.client import ApiError, AsyncClient, NotFound, RetryPolicy, calls
from tams_server.client.documents import Flow, Segment
from tams_server.replication.comparison import (
    Conflicting,
    Difference,
    Missing,
    Same,
    Surplus,
    are_same,
    compare,
    span,
)
from tams_server.replication.flow_writer import FlowWriter
from tams_server.replication.object_copier import ObjectCopier
from tams_server.replication.options import Options
from tams_server.replication.problems import Conflict, Problem
from tams_server.replication.report import Report
from tams_server.replication.segment_copier import SegmentCopier
from tams_server.replication.segment_tags import SegmentTagWriter
from tams_server.replication.watched_flow import WatchedFlow

_SURPLUS = 500
"""Segments that only TO has, and that are deleted together."""


class FlowSegments:
    """Compares segments, copies what TO lacks, and deletes what FROM no longer has. objects: None in a dry run."""

    def __init__(
        self,
        options: Options,
        origin: AsyncClient,
        target: AsyncClient,
        flows: FlowWriter,
        objects: ObjectCopier | None,
        report: Report,
        retry: RetryPolicy,
    ) -> None:
        self._options = options
        self._origin = origin
        self._target = target
        self._flows = flows
        self._objects = objects
        self._report = report
        self._retry = retry
        self._tags = SegmentTagWriter(target, report, delete=options.delete)

    async def copy(self, watched: WatchedFlow, there: Flow, timerange: TimeRange, in_progress: Flow) -> Flow:
        """Copy the segments in a timerange that TO lacks. Returns the flow at TO.

        there: the flow at TO. in_progress: its document while segments are copied that TO has never had.
        Raises Conflict, Problem.
        """
        flow, surplus = watched.flow, list[Segment]()
        if self._objects is None:
            await self._count(watched, timerange)
            return there
        copier = SegmentCopier(
            flow,
            self._origin,
            self._target,
            self._objects,
            self._report,
            self._tags,
            parallel=self._options.parallel,
            verify=self._options.verify,
            retry=self._retry,
        )
        async with copier:
            async for difference in self._differences(watched, timerange):
                segment = difference.segment
                if surplus and (not isinstance(difference, Surplus) or len(surplus) >= _SURPLUS):
                    there = await self._delete(flow, there, surplus)
                    surplus = []
                if isinstance(difference, Same) and self._tags.has_work(segment, difference.other):
                    there = await self._writable(there)
                    copier.problems += not await self._tags.write(flow["id"], segment, difference.other)
                if isinstance(difference, Surplus):
                    surplus += [segment] if self._options.delete else []
                    self._report.segments_surplus += not watched.is_caught_up
                elif isinstance(difference, Conflicting) and not self._options.delete:
                    copier.problems += 1
                    self._report.tell(_conflict(difference), f"flow {flow['id']}")
                elif isinstance(difference, Missing | Conflicting):
                    there = await self._prepare(watched, there, in_progress)
                    await copier.add(segment)
                elif not watched.is_caught_up:
                    self._report.segments_there += 1
                    await copier.verify_existing(segment)
            if surplus:
                there = await self._delete(flow, there, surplus)
        watched.has_problems = watched.has_problems or copier.problems > 0
        return there

    async def _differences(self, watched: WatchedFlow, timerange: TimeRange) -> AsyncIterator[Difference]:
        """Compare both servers in a timerange, and note where the flow ends at FROM."""
        listing = calls.segments(watched.flow["id"], timerange, with_urls=False)

        async def wanted() -> AsyncIterator[Segment]:
            async for segment in self._origin.iterate(listing):
                watched.note(segment)
                yield segment

        async for difference in compare(wanted(), self._target.iterate(listing)):
            yield difference

    async def _count(self, watched: WatchedFlow, timerange: TimeRange) -> None:
        """Say what a run would copy."""
        missing = conflicts = 0
        async for difference in self._differences(watched, timerange):
            missing += isinstance(difference, Missing)
            self._report.segments_there += not isinstance(difference, Missing | Surplus | Conflicting)
            if isinstance(difference, Conflicting):
                conflicts += 1
                self._report.tell(_conflict(difference), f"flow {watched.flow['id']}")
        if missing:
            self._report.say(f"would copy {missing:,} segments of flow {watched.flow['id']}")

    async def _prepare(self, watched: WatchedFlow, there: Flow, in_progress: Flow) -> Flow:
        """Before a segment is copied: the flow is writable, and its status says what happens to it."""
        if not watched.is_caught_up:
            return await self._flows.write(in_progress, there)
        return await self._writable(there)

    async def _writable(self, there: Flow) -> Flow:
        if not there.get("read_only"):
            return there
        await self._flows.unlock(there)
        return {**there, "read_only": False}

    async def _delete(self, flow: Flow, there: Flow, surplus: list[Segment]) -> Flow:
        """Delete adjacent segments at TO once FROM has confirmed that it has the flow, and none of them.

        FROM may list nothing for a flow that it does not show, and segments may have been added meanwhile.
        """
        timerange = span(surplus[0], surplus[-1])
        listing = calls.segments(flow["id"], timerange, with_urls=False)
        ours = [each async for each in self._origin.iterate(listing)]
        try:
            await self._origin.send(calls.flow(flow["id"]))
        except NotFound as error:
            raise Problem("it has just disappeared at FROM") from error
        if any(are_same(each, other) for each in ours for other in surplus):
            return there
        there = await self._writable(there)
        try:
            await self._target.send(calls.delete_segments(flow["id"], timerange))
        except ApiError as error:
            raise Problem(f"segments in {timerange} are deleted at FROM, and cannot be at TO: {error}") from error
        self._report.segments_deleted += len(surplus)
        self._report.say(f"deleted {len(surplus):,} segments of flow {flow['id']} in {timerange}")
        return there


def _conflict(difference: Conflicting) -> Conflict:
    ours, theirs = difference.segment, difference.other
    return Conflict(
        f"TO has {theirs['object_id']} at {theirs['timerange']}, where FROM has {ours['object_id']} at"
        f" {ours['timerange']}"
    )
