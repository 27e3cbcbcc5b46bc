"""Collections of sources, derived from the collections of their flows (SRC-LIFE-11 to -15)."""

from collections.abc import Collection, Mapping
from typing import Any

from storage.catalog.caller import Caller
from storage.catalog.flows import flow_collections
from storage.catalog.flows.flow_collections import CollectionRules, collected_sources
from storage.tables.conditions import In
from storage.tables.rows import CollectionRow
from storage.tables.transaction import Writer


def change_collection(
    tx: Writer, caller: Caller, flow: Mapping[str, Any], stored: Mapping[str, Any]
) -> tuple[set[str], set[str]]:
    """Store the collection of a flow that is locked, and what follows for that of its source, if it has changed.

    flow: its document. stored: that until now. Returns the ids of the other flows that are members
    from now on or no longer, and of the sources whose documents this changes. Raises: Invalid.
    """
    before, members = stored.get("flow_collection", []), flow.get("flow_collection", [])
    if members == before:
        return set(), set()
    tx.lock(flow_collections.LOCK)
    CollectionRules(tx, caller, [flow]).check(flow, before)
    flow_collections.replace_members(tx, flow["id"], members)
    changed = {item["id"] for item in before} ^ {item["id"] for item in members}
    return changed - {flow["id"]}, derive_source_collections(tx, [flow["source_id"]])


def derive_source_collections(tx: Writer, source_ids: Collection[str]) -> set[str]:
    """Derive the collections of sources again: the members of all their flows, oldest flow first.

    Returns the ids of the sources whose documents this changes: of these, and of those that they gain or lose as
    members.
    """
    if not source_ids:
        return set()
    wanted = sorted(source_ids)
    flows = tx.select("flows", [In("source_id", wanted)], columns=["id", "source_id", "created"])
    flows.sort(key=lambda row: (row["created"], row["id"]))
    source_of = {row["id"]: row["source_id"] for row in flows}
    members: dict[str, dict[str, str | None]] = {id_: {} for id_ in wanted}
    for flow_id, collected in collected_sources(tx, list(source_of)).items():
        derived = members[source_of[flow_id]]
        for member, role in collected.items():
            derived[member] = derived.get(member) or role
    before: dict[str, dict[str, str | None]] = {id_: {} for id_ in wanted}
    order = ("collector_id", "position")
    for row in tx.select("source_collections", [In("collector_id", wanted)], order=order):
        before[row["collector_id"]][row["member_id"]] = row["role"]
    changed = [id_ for id_ in wanted if list(before[id_].items()) != list(members[id_].items())]
    if not changed:
        return set()
    tx.delete("source_collections", [In("collector_id", changed)])
    rows: list[CollectionRow] = [
        {"collector_id": id_, "position": position, "member_id": member, "role": role}
        for id_ in changed
        for position, (member, role) in enumerate(members[id_].items())
    ]
    tx.insert("source_collections", rows)
    return set(changed).union(*(before[id_].keys() ^ members[id_].keys() for id_ in changed))
