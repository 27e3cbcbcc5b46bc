"""Flow collections: which flows a flow collects, and in which roles (FLOW-COLL-*)."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from storage import error_codes
from storage.catalog.access.checks import unreadable
from storage.catalog.access.class_rows import classes_of
from storage.catalog.caller import Caller
from storage.catalog.flows.sibling_collections import SiblingCollections
from storage.errors import Invalid
from storage.tables.conditions import In, equals
from storage.tables.rows import CollectionRow
from storage.tables.transaction import Reader, Writer

LOCK = "collections"
"""Lock for changes of any collection. Take it last, before the first read of other flows' collections."""

Member = tuple[str, str | None]
"""Id and role."""


def collectors_by_member(tx: Reader, flow_ids: Sequence[str]) -> dict[str, list[str]]:
    """The ids of the flows that collect each of these flows; flows that none collects are left out."""
    found: dict[str, dict[str, None]] = {}
    order = ("member_id", "collector_id")
    for link in tx.select("collections", [In("member_id", flow_ids)], order=order, columns=order):
        found.setdefault(link["member_id"], {})[link["collector_id"]] = None
    return {member_id: list(collectors) for member_id, collectors in found.items()}


class CollectionRules:
    """The rules on the collections of flows, with all that those of some flows are checked against.

    A flow may collect itself, and may list a flow twice (A27). A flow that the caller may not read is unknown to it,
    unless the collecting flow has it already.

    flows: documents of the flows to be written, new or not.
    """

    def __init__(self, tx: Reader, caller: Caller, flows: Sequence[Mapping[str, Any]]) -> None:
        self._caller = caller
        collecting = [flow for flow in flows if flow.get("flow_collection")]
        members = {item["id"] for flow in collecting for item in flow["flow_collection"]}
        self._source_ids = _sources_of(tx, members) if members else {}
        self._hidden = set(unreadable(tx, caller, "flow", sorted(members)))
        self._siblings = self._empty_siblings(flows, collecting)
        source_ids = sorted({flow["source_id"] for flow in collecting})
        siblings = tx.select("flows", [In("source_id", source_ids)], columns=["id", "source_id"]) if source_ids else []
        source_of = {row["id"]: row["source_id"] for row in siblings}
        for flow in collecting:
            source_of.pop(flow["id"], None)
        for flow_id, collected in collected_sources(tx, list(source_of)).items():
            self._siblings[source_of[flow_id]].add(flow_id, collected)

    def check(self, flow: Mapping[str, Any], before: Sequence[Mapping[str, Any]] = ()) -> None:
        """Reject unknown members, and an order or role that conflicts with another flow of the same source.

        before: the flow's collection until now.

        Raises: Invalid (FLOW-COLL-04, -05, FLOW-SRC-03).
        """
        kept = {item["id"] for item in before}
        for position, item in enumerate(flow.get("flow_collection", ())):
            if item["id"] != flow["id"] and not self._is_known(item["id"], kept):
                raise Invalid(
                    f"flow_collection.{position}.id {item['id']} is not a flow of this service",
                    code=error_codes.COLLECTION_UNKNOWN_FLOW,
                    field=f"flow_collection.{position}.id",
                    behaviour="FLOW-COLL-04",
                )
        if flow.get("flow_collection"):
            siblings = self._siblings[flow["source_id"]]
            siblings.check(self._collected_by(flow), name_flow=not self._caller.is_restricted)

    def accept(self, flow: Mapping[str, Any]) -> None:
        """Take a new flow that has passed the check into account for the next ones."""
        flow_id = flow["id"]
        self._source_ids[flow_id] = flow["source_id"]
        if "read" in self._caller.permissions(classes_of(flow.get("tags", {}))):
            self._hidden.discard(flow_id)
        if flow.get("flow_collection"):
            self._siblings[flow["source_id"]].add(flow_id, self._collected_by(flow))

    def _is_known(self, member_id: str, kept: Set[str]) -> bool:
        return member_id in self._source_ids and (member_id in kept or member_id not in self._hidden)

    def _collected_by(self, flow: Mapping[str, Any]) -> dict[str, str | None]:
        def source_of(member_id: str) -> str:
            return flow["source_id"] if member_id == flow["id"] else self._source_ids[member_id]

        return _distinct((source_of(item["id"]), item.get("role")) for item in flow.get("flow_collection", ()))

    def _empty_siblings(
        self, flows: Iterable[Mapping[str, Any]], collecting: Iterable[Mapping[str, Any]]
    ) -> dict[str, SiblingCollections]:
        """For each source of a collecting flow, what further flows of it are checked against, yet without any."""
        source_ids = {**{flow["id"]: flow["source_id"] for flow in flows}, **self._source_ids}
        relevant: dict[str, set[str]] = {}
        for flow in collecting:
            members = (item["id"] for item in flow["flow_collection"])
            sources = relevant.setdefault(flow["source_id"], {flow["source_id"]})
            sources.update(source_ids[id_] for id_ in members if id_ in source_ids)
        return {source_id: SiblingCollections(sources) for source_id, sources in relevant.items()}


def replace_members(tx: Writer, flow_id: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Replace the rows of the flow's collection. items: as in flow_collection."""
    tx.delete("collections", equals(collector_id=flow_id))
    tx.insert("collections", member_rows(flow_id, items))


def member_rows(flow_id: str, items: Sequence[Mapping[str, Any]]) -> list[CollectionRow]:
    """The rows of a flow's collection. items: as in flow_collection."""
    return [
        {"collector_id": flow_id, "position": position, "member_id": item["id"], "role": item.get("role")}
        for position, item in enumerate(items)
    ]


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
