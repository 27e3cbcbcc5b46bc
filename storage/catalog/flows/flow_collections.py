"""Flow collections: which flows a flow collects, and in which roles (FLOW-COLL-*)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storage.errors import Invalid
from storage.tables.conditions import In, equals
from storage.tables.engine import Reader, Writer
from storage.tables.rows import CollectionRow

LOCK = "collections"
"""Lock for changes of any collection. Take it last, before the first read of other flows' collections."""

Member = tuple[str, str | None]
"""Id and role."""


def collectors_by_member(tx: Reader, flow_ids: Sequence[str]) -> dict[str, list[str]]:
    """The ids of the flows that collect each of these flows; flows that none collects are left out."""
    found: dict[str, list[str]] = {}
    for link in tx.select("collections", [In("member_id", flow_ids)], order=("member_id", "collector_id")):
        collectors = found.setdefault(link["member_id"], [])
        if link["collector_id"] not in collectors:
            collectors.append(link["collector_id"])
    return found


def check_members(tx: Reader, flow_id: str, source_id: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Reject unknown members, and an order or role that conflicts with another flow of the same source.

    A flow may collect itself, and may list a flow twice (A27).

    Raises: Invalid (FLOW-COLL-04, -05, FLOW-SRC-03).
    """
    source_ids = _sources_of(tx, {item["id"] for item in items} - {flow_id}) | {flow_id: source_id}
    for position, item in enumerate(items):
        if item["id"] not in source_ids:
            raise Invalid(
                f"flow_collection.{position}.id {item['id']} is not a flow of this service",
                field=f"flow_collection.{position}.id",
                behaviour="FLOW-COLL-04",
            )
    ours = _distinct((source_ids[item["id"]], item.get("role")) for item in items)
    flows = tx.select("flows", equals(source_id=source_id), columns=["id"])
    others = [row["id"] for row in flows if row["id"] != flow_id]
    for other, theirs in collected_sources(tx, others).items():
        _check_agreement(ours, theirs, other)


def _check_agreement(ours: dict[str, str | None], theirs: dict[str, str | None], other: str) -> None:
    shared = [source for source in ours if source in theirs]
    if shared != [source for source in theirs if source in ours]:
        raise Invalid(
            f"flow_collection lists sources in a different order from flow {other} of the same source",
            field="flow_collection",
            behaviour="FLOW-SRC-03",
        )
    for source in shared:
        if None not in (ours[source], theirs[source]) and ours[source] != theirs[source]:
            raise Invalid(
                f"flow_collection gives source {source} the role {ours[source]!r}, but flow {other} of the same source"
                f" gives it {theirs[source]!r}",
                field="flow_collection",
                behaviour="FLOW-SRC-03",
            )


def replace_members(tx: Writer, flow_id: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Replace the rows of the flow's collection. items: as in flow_collection."""
    tx.delete("collections", equals(collector_id=flow_id))
    rows: list[CollectionRow] = [
        {
            "collector_id": flow_id,
            "position": position,
            "member_id": item["id"],
            "role": item.get("role"),
        }
        for position, item in enumerate(items)
    ]
    tx.insert("collections", rows)


def collected_sources(tx: Reader, flow_ids: Sequence[str]) -> dict[str, dict[str, str | None]]:
    """The sources that each of these flows collects, in order, with their roles; flows without members are left out."""
    links = tx.select("collections", [In("collector_id", flow_ids)], order=("collector_id", "position"))
    source_ids = _sources_of(tx, {link["member_id"] for link in links})
    by_flow: dict[str, list[Member]] = {}
    for link in links:
        if link["member_id"] in source_ids:
            by_flow.setdefault(link["collector_id"], []).append((source_ids[link["member_id"]], link["role"]))
    return {flow_id: _distinct(by_flow[flow_id]) for flow_id in flow_ids if flow_id in by_flow}


def _distinct(members: Iterable[Member]) -> dict[str, str | None]:
    """Each member at its first position, with its first role."""
    found: dict[str, str | None] = {}
    for member, role in members:
        found.setdefault(member, role)
    return found


def _sources_of(tx: Reader, flow_ids: Iterable[str]) -> dict[str, str]:
    rows = tx.select("flows", [In("id", sorted(flow_ids))], columns=["id", "source_id"])
    return {row["id"]: row["source_id"] for row in rows}
