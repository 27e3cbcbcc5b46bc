"""The flows that one request creates: checked one after another, then written together (FLOW-PUT-*, SRC-LIFE-*)."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from storage import error_codes
from storage.catalog import source_lifecycle, sources
from storage.catalog import tags as tag_rows
from storage.catalog.access.class_changes import tags_of_new
from storage.catalog.access.class_rows import classes_of, rows_of_new
from storage.catalog.access.creation import CreationRights
from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.event_journal import EventJournal
from storage.catalog.flows import flow_collections, flow_rows, flow_rules
from storage.catalog.flows.content_range import content_columns
from storage.catalog.flows.flow_collections import CollectionRules, member_rows
from storage.catalog.flows.flow_deletion import being_deleted
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.flows.metadata_version import next_metadata_version
from storage.catalog.flows.profile_link import document_with_profile, linked_profiles
from storage.catalog.flows.source_collections import derive_source_collections
from storage.errors import NotFound
from storage.tables.conditions import In
from storage.tables.limits import NAME, check_row, check_text
from storage.tables.rows import FlowRow, SourceRow
from storage.tables.transaction import Writer


def still_being_deleted(flow_id: str) -> NotFound:
    """The error for a new flow with the id of a deleted one whose segments are being deleted."""
    return NotFound(
        f"flow {flow_id} is still being deleted",
        code=error_codes.FLOW_BEING_DELETED,
        field="flow_id",
        behaviour="A59",
    )


class NewFlows:
    """Flows to be created in one transaction, which holds the locks of their ids and of their sources.

    The ids are free: no flow has one of them, nor could one be restored that had it.

    rights: of the caller, with the sources of all bodies.
    bodies: of all flows that will be added. They have passed flow_rules.check_body.
    """

    def __init__(
        self,
        tx: Writer,
        env: Environment,
        caller: Caller,
        rights: CreationRights,
        bodies: Sequence[Mapping[str, Any]],
    ) -> None:
        self._tx = tx
        self._env = env
        self._caller = caller
        self._rights = rights
        self._now = env.clock()
        source_ids = sorted({body["source_id"] for body in bodies})
        found = tx.select("sources", [In("id", source_ids)], columns=["id", "format"])
        self._formats = {row["id"]: row["format"] for row in found}
        flow_ids = [body["id"] for body in bodies]
        self._being_deleted = being_deleted(tx, flow_ids)
        self._profiles = linked_profiles(tx, bodies)
        if any(body.get("flow_collection") for body in bodies):
            tx.lock(flow_collections.LOCK)
        self._collections = CollectionRules(tx, caller, bodies)
        self._flows: list[FlowRow] = []
        self._sources: list[SourceRow] = []

    def add(self, body: Mapping[str, Any]) -> None:
        """Check one flow and accept it.

        Raises: Invalid, Forbidden, NotFound or AlreadyExists; then the flow leaves no trace.
        """
        self._rights.check(body["source_id"])
        doc = document_with_profile(body, self._profiles)
        source_format = self._formats.get(doc["source_id"])
        flow_rules.check_format(doc, None, source_format)
        if doc["id"] in self._being_deleted:
            raise still_being_deleted(doc["id"])
        moment = rfc3339(self._now)
        doc |= {
            "created_by": body.get("created_by", self._caller.name),
            "updated_by": self._caller.name,
            "metadata_version": next_metadata_version(body.get("metadata_version"), None),
            "created": moment,
            "metadata_updated": moment,
        }
        tags = tags_of_new(self._caller, KIND, doc["id"], doc.get("tags", {}))
        if tags:
            doc["tags"] = tags
        for name in classes_of(tags):
            check_text(name, NAME, "tags.auth_classes")
        self._collections.check(doc)
        columns = {**flow_rules.filter_columns(doc), **content_columns((0, 0))}
        row = cast(FlowRow, {**columns, "created": self._now, "metadata_updated": self._now, "doc": doc})
        check_row("flows", row)
        if source_format is None:
            self._add_source(doc)
        self._collections.accept(doc)
        self._flows.append(row)

    def _add_source(self, flow: Mapping[str, Any]) -> None:
        env = self._env
        source = source_lifecycle.source_of_first_flow(
            self._caller, flow, self._now, env.access, describe=env.describe_sources
        )
        check_row("sources", source)
        self._sources.append(source)
        self._formats[source["id"]] = source["format"]
        self._rights.add_source(source["id"], source["doc"].get("tags", {}))

    def write(self, journal: EventJournal) -> list[dict[str, Any]]:
        """Write the accepted flows with their sources, and record the events. Returns the flows' documents."""
        if not self._flows:
            return []
        tx, rules, moment = self._tx, self._env.access, rfc3339(self._now)
        source_lifecycle.insert_sources(tx, rules, self._sources)
        tx.insert("flows", self._flows)
        docs = [row["doc"] for row in self._flows]
        tags = [(doc["id"], doc.get("tags", {})) for doc in docs]
        tx.insert("tags", [row for id_, each in tags for row in tag_rows.rows_of(KIND, id_, self._now, each)])
        tx.insert("classes", [row for id_, each in tags for row in rows_of_new(rules, KIND, id_, self._now, each)])
        collecting = [doc for doc in docs if doc.get("flow_collection")]
        tx.insert("collections", [row for doc in collecting for row in member_rows(doc["id"], doc["flow_collection"])])
        changed_sources = derive_source_collections(tx, {doc["source_id"] for doc in collecting})
        created = flow_rows.documents(tx, [{**row, "segments_updated": None} for row in self._flows])
        new_sources = {source["id"] for source in self._sources}
        sources.record_events(tx, journal, "sources/created", new_sources, moment)
        journal.flows("flows/created", created, moment)
        members = {item["id"] for doc in collecting for item in doc["flow_collection"]}
        changed_flows = members.difference(doc["id"] for doc in docs)
        flow_rows.record_collection_changes(tx, journal, changed_flows, changed_sources - new_sources)
        return created
