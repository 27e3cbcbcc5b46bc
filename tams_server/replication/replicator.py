"""One pass of a replication: find the flows at FROM, and make them the same at TO."""

import time
from typing import Any

from storage.timerange import TimeRange
from tams_server.client import AsyncClient, NotFound, calls
from tams_server.client.documents import Flow
from tams_server.replication.flow_documents import IN_PROGRESS, is_live, resting, working
from tams_server.replication.flow_segments import FlowSegments
from tams_server.replication.flow_set import find_flows
from tams_server.replication.flow_writer import FlowWriter
from tams_server.replication.options import Options
from tams_server.replication.problems import Problem
from tams_server.replication.report import Report
from tams_server.replication.watched_flow import WatchedFlow

_GONE_AFTER = 2
"""Passes in a row in which a flow has to be missing at FROM until it is believed to be deleted."""


class Replicator:
    """Makes flows at TO the same as at FROM, pass by pass."""

    def __init__(
        self,
        options: Options,
        origin: AsyncClient,
        flows: FlowWriter,
        segments: FlowSegments,
        report: Report,
    ) -> None:
        self._options = options
        self._origin = origin
        self._flows = flows
        self._segments = segments
        self._report = report
        self._watched: dict[str, WatchedFlow] = {}
        self._at_target: set[str] = set()
        self._are_flows_known = False

    @property
    def is_complete(self) -> bool:
        """Whether TO has everything, as far as the last pass knows; False until FROM has listed the flows."""
        return self._are_flows_known and all(
            watched.is_caught_up and not watched.has_problems for watched in self._watched.values()
        )

    def hint(self, flow_id: str, timerange: TimeRange) -> None:
        """The segments of a flow have changed in a timerange: the next pass compares it."""
        if watched := self._watched.get(flow_id):
            watched.hint(timerange)

    async def check_named(self) -> bool:
        """Report what was asked for and does not exist at FROM, and return whether all does.

        Raises ClientError if FROM cannot be used.
        """
        is_all_there = True
        named: list[tuple[str, str, calls.Call[Any]]] = [
            *(("flow", flow_id, calls.flow(flow_id)) for flow_id in self._options.flow_ids),
            *(("source", source_id, calls.source(source_id)) for source_id in self._options.source_ids),
        ]
        for kind, id_, call in named:
            try:
                await self._origin.send(call)
            except NotFound:
                is_all_there = False
                self._report.tell(Problem("FROM does not have it, or does not show it"), f"{kind} {id_}")
        return is_all_there

    async def run_pass(self) -> None:
        """Copy what TO lacks. Problems are reported. Raises ClientError if a server cannot be used."""
        flows = await find_flows(self._origin, self._options.flow_ids, self._options.source_ids)
        for flow in flows:
            watched = self._watched.setdefault(flow["id"], WatchedFlow(flow))
            watched.flow, watched.missing = flow, 0
        self._are_flows_known = True
        opened = [(flow, there) for flow in flows if (there := await self._open(flow)) is not None]
        for source_id in dict.fromkeys(flow["source_id"] for flow, _ in opened):
            try:
                await self._flows.write_source(source_id)
            except Problem as problem:
                self._report.tell(problem, f"source {source_id}")
        for flow, there in opened:
            await self._fill(flow, there)
        found = {flow["id"] for flow in flows}
        for flow_id in [each for each in self._watched if each not in found]:
            await self._check_gone(flow_id)

    async def rest(self) -> None:
        """Give flows that are live at FROM the metadata that they have while nothing is copied."""
        for watched in self._watched.values():
            if watched.is_caught_up and is_live(watched.flow):
                await self._write(watched, self._with_members(resting(watched.flow)))

    async def _open(self, flow: Flow) -> Flow | None:
        """The flow at TO, created or brought up to date if nothing speaks against it. None with a problem.

        A flow that TO has already is otherwise left as it is until a segment is to be copied, or all have been.
        """
        watched = self._watched[flow["id"]]
        try:
            there = await self._flows.find(flow)
            if there is None:
                there = await self._flows.write(self._with_members(working(flow)), None)
            elif watched.is_caught_up:
                there = await self._flows.write(self._finished(flow), there)
            elif there.get("status") == IN_PROGRESS:
                there = await self._flows.write(self._with_members(working(flow)), there)
        except Problem as problem:
            self._tell(watched, problem)
            return None
        self._at_target.add(flow["id"])
        return there

    async def _fill(self, flow: Flow, there: Flow) -> None:
        """Copy segments, then give the flow the metadata that it has when it is complete."""
        watched, whole = self._watched[flow["id"]], self._options.timerange
        try:
            for timerange in watched.ranges(whole):
                began = time.monotonic()
                watched.has_problems = watched.has_problems and timerange != whole
                there = await self._segments.copy(watched, there, timerange, self._with_members(working(flow)))
                if timerange == whole:
                    watched.compared_whole(time.monotonic() - began)
        except Problem as problem:
            self._tell(watched, problem)
        if not watched.has_problems:
            watched.is_caught_up = True
            await self._write(watched, self._finished(flow), there)

    def _finished(self, flow: Flow) -> Flow:
        """The document of a flow that has all segments: of one that is live, more are expected while following."""
        return self._with_members(working(flow) if self._options.follow and is_live(flow) else resting(flow))

    def _with_members(self, document: Flow) -> Flow:
        """The document with those members of its collection that TO has: others would have it rejected."""
        items = document.get("flow_collection") or []
        kept = [item for item in items if item["id"] in self._at_target]
        if len(kept) == len(items):
            return document
        return {name: each for name, each in document.items() if name != "metadata_version"} | {"flow_collection": kept}

    def _tell(self, watched: WatchedFlow, problem: Problem) -> None:
        watched.has_problems = True
        self._report.tell(problem, f"flow {watched.flow['id']}")

    async def _write(self, watched: WatchedFlow, document: Flow, there: Flow | None = None) -> None:
        try:
            there = there or await self._flows.find(watched.flow)
            if there is not None:
                await self._flows.write(document, there)
        except Problem as problem:
            self._tell(watched, problem)

    async def _check_gone(self, flow_id: str) -> None:
        """Take note of a flow that was found before. It may only have left its collection, or be hidden."""
        watched = self._watched[flow_id]
        try:
            await self._origin.send(calls.flow(flow_id))
        except NotFound:
            watched.missing += 1
        else:
            del self._watched[flow_id]
            return
        if watched.missing < _GONE_AFTER:
            return
        del self._watched[flow_id]
        self._at_target.discard(flow_id)
        if not self._options.delete:
            self._report.say(f"flow {flow_id} is deleted at FROM, and kept at TO")
            return
        try:
            await self._flows.delete(flow_id)
        except Problem as problem:
            self._report.tell(problem, f"flow {flow_id}")
