"""Collections: which flows a flow collects, and what that says of their sources (FLOW-COLL-*, SRC-LIFE-11 to -15)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storage.errors import Invalid
from storage.tables.conditions import In, equals
from storage.tables.engine import Reader, Writer

Member = tuple[str, str | None]
"""A member's id and its role."""


def collected_by(tx: Reader, flow_ids: Sequence[str]) -> dict[str, list[str]]:
    """For each flow that is collected, the flows that collect it."""
    found: dict[str, list[str]] = {}
    for link in tx.select("collections", [In("member_id", flow_ids)], order=("member_id", "collector_id")):
        collectors = found.setdefault(link["member_id"], [])
        if link["collector_id"] not in collectors:
            collectors.append(link["collector_id"])
    return found


def check_members(tx: Reader, flow_id: str, source_id: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Refuse members that are not flows, and an order or a role that another flow of the source contradicts.

    A flow may collect itself, and one flow may be listed twice (A27). Raises Invalid (FLOW-COLL-04, -05, FLOW-SRC-03).
    """
    sources = _sources_of(tx, {item["id"] for item in items} - {flow_id}) | {flow_id: source_id}
    for position, item in enumerate(items):
        if item["id"] not in sources:
            raise Invalid(
                f"flow_collection.{position}.id {item['id']} is not a flow of this service",
                field=f"flow_collection.{position}.id",
                behaviour="FLOW-COLL-04",
            )
    ours = _distinct((sources[item["id"]], item.get("role")) for item in items)
    others = [row["id"] for row in tx.select("flows", equals(source_id=source_id), columns=["id"])]
    for other, theirs in _members_by_flow(tx, [id_ for id_ in others if id_ != flow_id]).items():
        _check_agreement(ours, theirs, other)


def _check_agreement(ours: dict[str, str | None], theirs: dict[str, str | None], other: str) -> None:
    shared = [source for source in ours if source in theirs]
    if shared != [source for source in theirs if source in ours]:
        raise Invalid(
            f"flow_collection lists sources in another order than flow {other} of the same source does",
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


def replace_rows(tx: Writer, flow_id: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Make `items` the collection of this flow."""
    tx.delete("collections", equals(collector_id=flow_id))
    rows = [
        {
            "collector_id": flow_id,
            "position": position,
            "member_id": item["id"],
            "role": item.get("role"),
        }
        for position, item in enumerate(items)
    ]
    tx.insert("collections", rows)


def derive_source_collection(tx: Writer, source_id: str) -> set[str]:
    """Work the collection of a source out anew, from those of all its flows in the order of their creation.

    Returns the ids of the sources that now look different: this one, and those that it collects newly or no more.
    """
    flows = tx.select("flows", equals(source_id=source_id), order=("created", "id"), columns=["id"])
    members: dict[str, str | None] = {}
    for theirs in _members_by_flow(tx, [row["id"] for row in flows]).values():
        for member, role in theirs.items():
            members[member] = members.get(member) or role
    rows = tx.select("source_collections", equals(collector_id=source_id), order=("collector_id", "position"))
    before = {row["member_id"]: row["role"] for row in rows}
    if list(before.items()) == list(members.items()):
        return set()
    tx.delete("source_collections", equals(collector_id=source_id))
    rows = [
        {"collector_id": source_id, "position": position, "member_id": member, "role": role}
        for position, (member, role) in enumerate(members.items())
    ]
    tx.insert("source_collections", rows)
    return {source_id} | (before.keys() ^ members.keys())


def _members_by_flow(tx: Reader, flow_ids: Sequence[str]) -> dict[str, dict[str, str | None]]:
    """The sources that each of the flows collects, with their roles; flows that collect nothing are left out."""
    links = tx.select("collections", [In("collector_id", flow_ids)], order=("collector_id", "position"))
    sources = _sources_of(tx, {link["member_id"] for link in links})
    by_flow: dict[str, list[Member]] = {}
    for link in links:
        if link["member_id"] in sources:
            by_flow.setdefault(link["collector_id"], []).append((sources[link["member_id"]], link["role"]))
    return {flow_id: _distinct(by_flow[flow_id]) for flow_id in flow_ids if flow_id in by_flow}


def _distinct(members: Iterable[Member]) -> dict[str, str | None]:
    """Each member at its first place, with its first role."""
    found: dict[str, str | None] = {}
    for member, role in members:
        found.setdefault(member, role)
    return found


def _sources_of(tx: Reader, flow_ids: Iterable[str]) -> dict[str, str]:
    rows = tx.select("flows", [In("id", sorted(flow_ids))], columns=["id", "source_id"])
    return {row["id"]: row["source_id"] for row in rows}
