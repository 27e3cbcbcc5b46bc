"""The restoration of a deleted flow: its row, tags and collections, and its source if it went with the flow."""

from collections.abc import Sequence
from typing import Any

from storage import error_codes
from storage.catalog import kept_rows, sources
from storage.catalog.access.creation import CreationRights
from storage.catalog.caller import Caller
from storage.catalog.clock import later_than, moment, rfc3339
from storage.catalog.deleted import segment_events
from storage.catalog.environment import Environment
from storage.catalog.event_journal import EventJournal
from storage.catalog.flows import flow_collections, flow_rows
from storage.catalog.flows.content_range import refresh_content_span
from storage.catalog.flows.flow_collections import CollectionRules, member_rows
from storage.catalog.flows.metadata_version import next_metadata_version
from storage.catalog.flows.source_collections import derive_source_collections
from storage.errors import AlreadyExists, Invalid
from storage.tables.conditions import In, equals
from storage.tables.limits import check_document
from storage.tables.rows import CollectionRow, DeletedFlowRow, FlowRow, SourceRow
from storage.tables.transaction import Writer

Items = Sequence[dict[str, Any]]
"""Members, as in flow_collection."""


class Restoration:
    """The restoration of one flow within a transaction, which holds the locks of the flow and of its source.

    caller: may delete the flow. row: as it is kept.
    """

    def __init__(
        self, tx: Writer, journal: EventJournal, env: Environment, caller: Caller, row: DeletedFlowRow
    ) -> None:
        self._tx = tx
        self._caller = caller
        self._journal = journal
        self._env = env
        self._row = row
        self._flow_id = row["id"]
        self._changed_flows: set[str] = set()
        self._changed_sources: set[str] = set()

    def run(self) -> None:
        """Restore the flow. It is reported as created, with its segments, and so is its source.

        Raises: NotFound or Forbidden if the source is another one by now, to which the caller may not add flows;
            AlreadyExists if the flow does not fit that source, or the flows that there are.
        """
        tx, row = self._tx, self._row
        tx.lock(flow_collections.LOCK)
        is_back = self._return_source()
        doc = self._document()
        restored: DeletedFlowRow = {**row, "doc": doc, "metadata_updated": moment(doc["metadata_updated"])}
        kept_rows.return_flow(tx, self._env.access, restored)
        refresh_content_span(tx, self._flow_id)
        tx.insert("collections", member_rows(self._flow_id, doc.get("flow_collection", [])))
        self._return_to_collections()
        if doc.get("flow_collection"):
            self._changed_sources.add(row["source_id"])
        changed = derive_source_collections(tx, self._changed_sources)
        if is_back:
            changed.discard(row["source_id"])
            sources.record_events(tx, self._journal, "sources/created", [row["source_id"]])
        if self._journal.wanted:
            self._journal.flows("flows/created", flow_rows.documents(tx, [restored]))
            segment_events.record_restored(tx, self._env, self._journal, restored)
        sources.record_events(tx, self._journal, "sources/updated", changed)
        flow_rows.record_updates(tx, self._journal, self._changed_flows - {self._flow_id})

    def _return_source(self) -> bool:
        """Restore the source of the flow, unless it exists. Returns whether it did not.

        Raises: NotFound or Forbidden if it is another source with the same id, to which the caller may not add flows;
            AlreadyExists if that one has another format.
        """
        tx, source_id = self._tx, self._row["source_id"]
        existing = tx.get("sources", id=source_id)
        if existing is not None:
            if existing["created"] >= self._row["deleted"]:
                CreationRights(tx, self._caller, [source_id]).check(source_id)
            self._check_format(existing)
            kept_rows.forget(tx, kept_rows.SOURCE, source_id)
            return False
        kept = tx.get("deleted_sources", id=source_id)
        assert kept is not None, f"the source of deleted flow {self._flow_id} is not kept"
        if kept["created"] >= self._row["deleted"] or kept["deleted"] <= self._row["created"]:
            CreationRights(tx, self._caller, [source_id], kept_rows.SOURCE).check(source_id)
        self._check_format(kept)
        kept_rows.return_source(tx, self._env.access, kept)
        return True

    def _check_format(self, source: SourceRow) -> None:
        """Reject a source of another format. Raises: AlreadyExists."""
        if source["format"] != self._row["format"]:
            raise AlreadyExists(
                f"flow {self._flow_id} has format {self._row['format']}, but source {source['id']}, which has been"
                f" created again, has format {source['format']}",
                code=error_codes.FLOW_NOT_RESTORABLE,
                field="source_id",
                behaviour="FLOW-SRC-01",
            )

    def _document(self) -> dict[str, Any]:
        """The flow's document, without members that have gone meanwhile, and with those that have returned.

        Those that are deleted too, but can be restored, find their place when they are.
        """
        doc, returned = self._row["doc"], self._returned_members()
        items: Items = doc.get("flow_collection", [])
        if not items and not returned:
            return doc
        tx, ids = self._tx, sorted({item["id"] for item in items})
        existing = {row["id"] for row in tx.select("flows", [In("id", ids)], columns=["id"])} | {self._flow_id}
        kept = {row["id"] for row in tx.select("deleted_flows", [In("id", ids)], columns=["id"])} - existing
        left = [item for item in items if item["id"] in existing]
        later: list[CollectionRow] = [link for link in member_rows(self._flow_id, items) if link["member_id"] in kept]
        tx.insert("deleted_collections", later)
        doc = self._with_members(doc, left) if left != items else doc
        rules = self._rules(doc, returned)
        try:
            rules.check(doc, left)
        except Invalid as error:
            raise AlreadyExists(
                f"flow {self._flow_id} cannot be restored beside what has been made since: {error.message}",
                code=error_codes.FLOW_NOT_RESTORABLE,
                field="flow_collection",
                behaviour=error.behaviour,
            ) from None
        for member_id in dict.fromkeys(link["member_id"] for link in returned):
            doc = self._with_member(rules, doc, [link for link in returned if link["member_id"] == member_id])
        self._changed_flows |= {item["id"] for item in doc.get("flow_collection", [])}
        return doc

    def _returned_members(self) -> list[CollectionRow]:
        """The places in the flow's collection of those that left it by being deleted, and have been restored since."""
        tx = self._tx
        own = equals(collector_id=self._flow_id)
        links = tx.select("deleted_collections", own, order=("collector_id", "position", "member_id"))
        ids = sorted({link["member_id"] for link in links})
        there = {row["id"] for row in tx.select("flows", [In("id", ids)], columns=["id"])} if ids else set()
        if there:
            tx.delete("deleted_collections", [*own, In("member_id", sorted(there))])
        return [link for link in links if link["member_id"] in there]

    def _return_to_collections(self) -> None:
        """Give the flow its places in the collections of others, as far as these allow it by now.

        Collectors that are deleted too take it back when they are restored.
        """
        tx = self._tx
        own = equals(member_id=self._flow_id)
        links = tx.select("deleted_collections", own, order=("member_id", "collector_id", "position"))
        ids = sorted({link["collector_id"] for link in links})
        if not ids:
            return
        kept = {row["id"] for row in tx.select("deleted_flows", [In("id", ids)], columns=["id"])}
        tx.delete("deleted_collections", [*own, In("collector_id", [id_ for id_ in ids if id_ not in kept])])
        for collector in tx.select("flows", [In("id", ids)], order=("id",)):
            self._return_to(collector, [link for link in links if link["collector_id"] == collector["id"]])

    def _return_to(self, collector: FlowRow, places: Sequence[CollectionRow]) -> None:
        before = collector["doc"]
        doc = self._with_member(self._rules(before, places), before, places)
        if doc is before:
            return
        flow_collections.replace_members(self._tx, collector["id"], doc["flow_collection"])
        values = {"doc": doc, "metadata_updated": moment(doc["metadata_updated"])}
        flow_rows.update(self._tx, collector, values)  # the collector is not locked
        self._changed_flows.add(collector["id"])
        self._changed_sources.add(collector["source_id"])

    def _rules(self, doc: dict[str, Any], places: Sequence[CollectionRow]) -> CollectionRules:
        """The rules on a collection, for its members and for those that may return to it."""
        items = [*doc.get("flow_collection", []), *({"id": link["member_id"]} for link in places)]
        return CollectionRules(self._tx, self._caller, [{**doc, "flow_collection": items}])

    def _with_member(
        self, rules: CollectionRules, doc: dict[str, Any], places: Sequence[CollectionRow]
    ) -> dict[str, Any]:
        """A document with a member at its places again; the same document if the rules or its size do not allow it.

        places: in order of position.
        """
        items = list(doc.get("flow_collection", []))
        for link in places:
            role = {} if link["role"] is None else {"role": link["role"]}
            items.insert(link["position"], {"id": link["member_id"], **role})
        changed = self._with_members(doc, items)
        try:
            rules.check(changed, items)
            check_document(changed, "flow")
        except Invalid:
            return doc
        return changed

    def _with_members(self, doc: dict[str, Any], items: Items) -> dict[str, Any]:
        """A document with another collection, as a new version."""
        now = later_than(moment(doc["metadata_updated"]), self._env.clock())
        return {
            **doc,
            "flow_collection": list(items),
            "metadata_version": next_metadata_version(None, doc["metadata_version"]),
            "metadata_updated": rfc3339(now),
        }
