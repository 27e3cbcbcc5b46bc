"""Which flows a run replicates: those named, those of sources, and the members of all of them."""

from collections.abc import AsyncIterator, Iterable

from tams_server.client import AsyncClient, NotFound, calls
from tams_server.client.documents import Flow


async def find_flows(client: AsyncClient, flow_ids: Iterable[str], source_ids: Iterable[str]) -> list[Flow]:
    """The flows at a server, each once, members of a collection before the collection.

    A source stands for all its flows, and for the sources that it collects. Ids that the server does not know are left
    out. In a cycle of collections, any may come first.
    """
    known = {flow["id"]: flow for source_id in source_ids for flow in [f async for f in _of_source(client, source_id)]}
    ordered: dict[str, Flow] = {}
    for flow_id in [*flow_ids, *known]:
        await _add(client, flow_id, known, ordered, set())
    return list(ordered.values())


async def _of_source(client: AsyncClient, source_id: str) -> AsyncIterator[Flow]:
    waiting, seen = [source_id], {source_id}
    while waiting:
        current = waiting.pop(0)
        async for flow in client.iterate(calls.flows(source_id=current)):
            yield flow
        try:
            source = await client.send(calls.source(current))
        except NotFound:
            continue
        members = [item["id"] for item in source.get("source_collection") or [] if item["id"] not in seen]
        seen.update(members)
        waiting += members


async def _add(
    client: AsyncClient, flow_id: str, known: dict[str, Flow], ordered: dict[str, Flow], above: set[str]
) -> None:
    """Add a flow after its members. above: the collections that led here."""
    if flow_id in ordered or flow_id in above:
        return
    try:
        flow = known[flow_id] if flow_id in known else await client.send(calls.flow(flow_id))
    except NotFound:
        return
    for item in flow.get("flow_collection") or []:
        await _add(client, item["id"], known, ordered, above | {flow_id})
    ordered[flow_id] = flow
