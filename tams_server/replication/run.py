"""Put a replication together, and run it once or until it is told to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from storage.timerange import NS, parse_timestamp
from tams_server.client import AsyncClient, ClientError, Credentials, NotFound, RetryPolicy, calls
from tams_server.replication.flow_segments import FlowSegments
from tams_server.replication.flow_writer import FlowWriter
from tams_server.replication.follower import follow
from tams_server.replication.listener import listening
from tams_server.replication.object_copier import ObjectCopier, Target
from tams_server.replication.options import Options
from tams_server.replication.rate import RateLimit
from tams_server.replication.replicator import Replicator
from tams_server.replication.report import Report
from tams_server.replication.state import State

_POLL_WITH_EVENTS_S = 30.0
"""The pause between passes while events of FROM arrive: for those that are lost."""
_FIRST_CONTACT = RetryPolicy(for_s=5)
"""A server that is not there at the beginning is probably not at this URL."""


@dataclass(frozen=True, slots=True)
class Server:
    """A TAMS server: the URL of its API, and the credentials for it."""

    url: str
    credentials: Credentials | None = None


@dataclass(frozen=True, slots=True)
class Events:
    """Where events of FROM arrive: the URL that it sends them to, and the address to listen on for them."""

    url: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run. state_file: see `state`. interval_s: between passes that follow. rate: bytes a second, None without
    limit. storage_id: the storage backend at TO. retry: how long an outage may last in a run that does not follow."""

    origin: Server
    target: Server
    options: Options
    state_file: Path
    interval_s: float = 2.0
    events: Events | None = None
    rate: float | None = None
    storage_id: str | None = None
    retry: RetryPolicy = field(default_factory=lambda: RetryPolicy(for_s=120))


async def replicate(plan: Plan, report: Report, stop: asyncio.Event) -> bool:
    """Run a replication. Returns whether TO has everything in the end; problems go to the report.

    Raises ClientError if a server cannot be used, and OSError."""
    async with AsyncExitStack() as stack:
        origin, target = [
            await stack.enter_async_context(AsyncClient(each.url, each.credentials, retry=plan.retry))
            for each in (plan.origin, plan.target)
        ]
        first = replace(_FIRST_CONTACT, on_retry=plan.retry.on_retry)
        await _service(origin, "FROM", first)
        allocation_s = await _service(target, "TO", first)
        replicator = await stack.enter_async_context(_replicator(plan, origin, target, allocation_s, report))
        is_all_there = await replicator.check_named()
        if not plan.options.follow:
            await replicator.run_pass()
            return report.problems == 0
        wake, interval_s = asyncio.Event(), plan.interval_s
        if (events := plan.events) is not None:
            interval_s = max(interval_s, _POLL_WITH_EVENTS_S)
            await stack.enter_async_context(listening(origin, events.url, events.host, events.port, replicator, wake))
        await follow(replicator, report, stop, wake, interval_s)
        return is_all_there and replicator.is_complete


@asynccontextmanager
async def _replicator(
    plan: Plan, origin: AsyncClient, target: AsyncClient, allocation_s: float, report: Report
) -> AsyncIterator[Replicator]:
    def made(flows: FlowWriter, objects: ObjectCopier | None) -> Replicator:
        segments = FlowSegments(plan.options, origin, target, flows, objects, report, plan.retry)
        return Replicator(plan.options, origin, flows, segments, report)

    if plan.options.dry_run:
        flows = FlowWriter(origin, target, None, report, dry_run=True)
        yield made(flows, None)
        return
    state = State(plan.state_file, target.url)
    try:
        state.forget_old_slots(allocation_s)
        flows = FlowWriter(origin, target, state, report)
        place = Target(target, await _backend_labels(target), allocation_s, plan.storage_id)
        objects = ObjectCopier(origin, place, state, RateLimit(plan.rate), report, plan.retry)
        yield made(flows, objects)
    finally:
        state.close()


async def _service(client: AsyncClient, name: str, retry: RetryPolicy) -> float:
    """Check that a server is a TAMS 8.x. Returns its min_object_timeout, in seconds."""
    try:
        service = await client.send(calls.service(), retry)
    except NotFound as error:
        raise ClientError(f"{name} is no TAMS server, or its API has another base URL: {error}") from error
    version = service.get("api_version")
    if not isinstance(version, str) or version.partition(".")[0] != "8":
        raise ClientError(f"{name}, {client.url}, has version {version} of the TAMS API, not 8.x")
    return parse_timestamp(str(service.get("min_object_timeout", "300:0"))) / NS


async def _backend_labels(client: AsyncClient) -> frozenset[str]:
    return frozenset([each["label"] async for each in client.iterate(calls.storage_backends()) if "label" in each])
