"""What `tams rm` deletes, and what it says about it before: flows, with --members also those that they collect."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from storage.timerange import ETERNITY, TimeRange, parse_timerange
from tams_server.client import Client, NotFound, calls
from tams_server.client_cli.kinds import Found
from tams_server.client_cli.progress import counted

_COUNTED = 1000
"""Segments that are counted before somebody is asked: more would take long."""


@dataclass(slots=True)
class DeletionPlan:
    """flows: all that are to be deleted, by id, members before the flows that collect them.

    That order leaves the rest of the members in the collection if the deletion is interrupted. kept: members that
    stay, each with the flow that still collects it. timerange: only the segments in it; None for the flows themselves.
    """

    named: list[Found]
    timerange: TimeRange | None = None
    flows: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)

    def consequences(self, client: Client) -> Iterator[str]:
        """What the deletion takes with it, line by line."""
        for found in self.named:
            where = "" if self.timerange is None else f": segments in {self.timerange}"
            yield f"{found.name}{where}"
            if found.kind == "flow":
                yield f"  {self._segments(client, found.document['id'])}"
                yield from self._surroundings(found.document)
            elif found.kind == "source":
                for flow in self.flows.values():
                    if flow["source_id"] == found.document["id"]:
                        yield f"  {self._counted(client, flow)}"
                        yield from self._surroundings(flow, "    ")
                for collecting in found.document.get("collected_by") or []:
                    yield f"  is part of source {collecting}"
        yield from self._members(client)
        if self.timerange is None:
            yield from self._sources(client)

    def _surroundings(self, flow: dict[str, Any], indent: str = "  ") -> Iterator[str]:
        """The collections that a flow is in, and the members of it that stay."""
        if self.timerange is not None:
            return
        for collecting in flow.get("collected_by") or []:
            if collecting not in self.flows:
                yield f"{indent}is part of flow {collecting}"
        for member in members_of(flow):
            if member in self.kept:
                yield f"{indent}collects flow {member}, which stays, as flow {self.kept[member]} collects it too"
            elif member not in self.flows:
                yield f"{indent}collects flow {member}, which stays: --members deletes it too"

    def _members(self, client: Client) -> Iterator[str]:
        named = {found.document["id"] for found in self.named}
        members = [flow for flow in self.flows.values() if flow["id"] not in named and flow["source_id"] not in named]
        if members:
            yield f"{counted(len(members), 'flow')} collected:"
        for flow in members:
            yield f"  {self._counted(client, flow)}"
            yield from self._surroundings(flow, "    ")

    def _sources(self, client: Client) -> Iterator[str]:
        """The sources that go, as their last flow does."""
        named = {found.document["id"] for found in self.named}
        for source_id in dict.fromkeys(flow["source_id"] for flow in self.flows.values()):
            if source_id not in named and not any(
                flow["id"] not in self.flows for flow in client.iterate(calls.flows(source_id=source_id))
            ):
                yield f"source {source_id} goes with its last flow"

    def _counted(self, client: Client, flow: dict[str, Any]) -> str:
        return f"{Found('flow', flow).name}: {self._segments(client, flow['id'])}"

    def _segments(self, client: Client, flow_id: str) -> str:
        listing = calls.segments(flow_id, self.timerange or ETERNITY, with_urls=False, limit=_COUNTED)
        count = partly = 0
        for segment in islice(client.iterate(listing), _COUNTED + 1):
            is_whole = self.timerange is None or self.timerange.covers(parse_timerange(segment["timerange"]))
            count, partly = count + is_whole, partly + (not is_whole)
        found = f"more than {_COUNTED:,} segments" if count + partly > _COUNTED else counted(count, "segment")
        return f"{found}; not those that are only partly in it: {partly:,}" if partly else found


def plan_deletion(
    client: Client, named: Sequence[Found], timerange: TimeRange | None, *, with_members: bool
) -> DeletionPlan:
    """Plan the deletion of what was named. Raises ClientError.

    A source means all its flows. with_members: also what they collect, and what that collects, unless a flow that
    stays collects it as well.
    """
    plan = DeletionPlan(list(named), timerange)
    flows: list[dict[str, Any]] = []
    for found in named:
        if found.kind == "flow":
            flows.append(found.document)
        elif found.kind == "source":
            flows += map(dict, client.iterate(calls.flows(source_id=found.document["id"])))
    if not with_members:
        plan.flows = {flow["id"]: flow for flow in flows}
        return plan
    for flow in flows:
        _add(client, flow, plan.flows, set())
    _keep_shared(plan, {flow["id"] for flow in flows})
    return plan


def members_of(flow: dict[str, Any]) -> list[str]:
    """The ids of the flows that a flow collects."""
    return [str(item["id"]) for item in flow.get("flow_collection") or []]


def _add(client: Client, flow: dict[str, Any], flows: dict[str, dict[str, Any]], above: set[str]) -> None:
    """Add a flow after its members. above: ids of the flows that lead to it, as collections may form a circle."""
    if flow["id"] in flows or flow["id"] in above:
        return
    for member in members_of(flow):
        if member in flows:
            continue
        try:
            found = client.send(calls.flow(member))
        except NotFound:  # a collection may name what does not exist
            continue
        _add(client, dict(found), flows, {*above, flow["id"]})
    flows[flow["id"]] = flow


def _keep_shared(plan: DeletionPlan, named: set[str]) -> None:
    """Take members out that a flow collects which stays, until no more are."""
    while True:
        shared = {
            flow_id: keeping[0]
            for flow_id, flow in plan.flows.items()
            if flow_id not in named
            and (keeping := [each for each in flow.get("collected_by") or [] if each not in plan.flows])
        }
        if not shared:
            return
        plan.kept |= shared
        plan.flows = {flow_id: flow for flow_id, flow in plan.flows.items() if flow_id not in shared}
