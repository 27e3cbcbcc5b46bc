"""Collections of sources, derived from the collections of their flows (SRC-LIFE-11 to -15)."""

from storage.catalog.flows.flow_collections import collected_sources
from storage.tables.conditions import equals
from storage.tables.engine import Writer


def derive_source_collection(tx: Writer, source_id: str) -> set[str]:
    """Derive the source's collection again: the members of all its flows, oldest flow first.

    Returns the ids of the sources whose documents this changes: this one, and those that it gains or loses as members.
    """
    flows = tx.select("flows", equals(source_id=source_id), order=("created", "id"), columns=["id"])
    members: dict[str, str | None] = {}
    for collected in collected_sources(tx, [row["id"] for row in flows]).values():
        for member, role in collected.items():
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
