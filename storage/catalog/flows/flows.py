"""Flows: list, read, create, replace and change them member by member (FLOW-*)."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from storage.catalog import source_lifecycle, sources
from storage.catalog import tags as tag_rows
from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.event_journal import EventJournal, write_with_events
from storage.catalog.flows import flow_collections, flow_rows, flow_rules, profile_link
from storage.catalog.flows.content_range import content_columns, content_timerange
from storage.catalog.flows.flow_filter import KIND, FlowFilter
from storage.catalog.flows.metadata_version import flow_state, flow_version, next_metadata_version
from storage.catalog.flows.source_collections import derive_source_collection
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.retry import retried
from storage.errors import NotFound
from storage.preconditions import NO_RESOURCE, Preconditions, member_state
from storage.tables.conditions import In, equals
from storage.tables.engine import Reader, Writer
from storage.tables.limits import check_document
from storage.tables.rows import FlowRow
from storage.timerange import TimeRange

ORDERS = {
    "created": Order(("created", "id"), descending=True),
    "metadata_updated": Order(("metadata_updated", "id"), descending=True),
    "label": Order(("unlabelled", "label", "id")),
}


class Flows:
    """The flows of the catalogue. Methods for one flow raise NotFound if the caller cannot see it."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def page(self, caller: Caller, filters: FlowFilter, sort_by: str, request: PageRequest) -> Page:
        """A page of the flows that pass the filters (FLOW-LIST-*, SORT-02 to -08). sort_by: a key of ORDERS."""
        size = request.size(self._env.limits)
        where = [*filters.conditions(), *caller.visible(KIND)]
        with self._env.engine.read() as tx:
            rows, next_key = select_page(tx, "flows", where, ORDERS[sort_by], request, size)
            found = flow_rows.documents(tx, rows)
        return Page(found, size, request.reverse, next_key)

    def get(self, caller: Caller, flow_id: str, within: TimeRange | None = None) -> dict[str, Any]:
        """The flow's document (flow.json).

        within: adds the timerange of the flow's content, clipped to `within` (FLOW-GET-03 to -07); None leaves it out.
        """

        def read(tx: Reader) -> dict[str, Any]:
            row = flow_rows.get(tx, caller, flow_id)
            doc = flow_rows.documents(tx, [row])[0]
            if within is not None:
                doc["timerange"] = str(content_timerange(tx, row, within))
            return doc

        return self._env.engine.read_under(f"flow:{flow_id}", read)

    def member(self, caller: Caller, flow_id: str, name: str) -> Any:
        """The value of one member. Raises: NotFound if it is not set, except for tags and read_only (A15, A30)."""
        with self._env.engine.read_once() as tx:
            doc = flow_rows.get(tx, caller, flow_id)["doc"]
        if name in doc:
            return doc[name]
        if name == "tags":
            return {}
        if name == "read_only":
            return False
        raise NotFound(f"flow {flow_id} has no {name}", field=name, behaviour="FLOW-DESC-04")

    def tag(self, caller: Caller, flow_id: str, name: str) -> Any:
        """The value of one tag (FLOW-TAG-02)."""
        tags = self.member(caller, flow_id, "tags")
        if name not in tags:
            raise _no_tag(flow_id, name)
        return tags[name]

    @retried
    def put(
        self, caller: Caller, flow_id: str, body: Mapping[str, Any], preconditions: Preconditions | None = None
    ) -> dict[str, Any] | None:
        """Create the flow, or replace the members that clients set (FLOW-PUT-*).

        body: a document that is valid by flow.json.

        Returns the document of a new flow, None if the flow existed.
        Raises: Invalid; Forbidden if the flow is read-only; NotFound while a deleted flow of this id is being removed;
            PreconditionFailed.
        """
        with write_with_events(self._env) as (tx, journal):
            tx.lock(f"flow:{flow_id}", f"source:{body['source_id']}")
            row = flow_rows.get_if_present(tx, caller, flow_id)
            if row is not None:
                flow_rules.check_writable(row)
            if preconditions is not None:
                preconditions.check_change(NO_RESOURCE if row is None else flow_state(row["doc"]))
            flow_rules.check_body(flow_id, body)
            stored = row["doc"] if row else None
            doc = profile_link.resolve_profile(tx, body, stored)
            source = tx.get("sources", id=doc["source_id"])
            if stored is not None:
                flow_rules.check_source(doc, stored)
            flow_rules.check_format(doc, stored, source["format"] if source else None)
            if row is not None:
                self._update(tx, journal, caller, row, doc, requested_version=body.get("metadata_version"))
                return None
            return self._create(tx, journal, caller, doc, body, new_source=source is None)

    @retried
    def set_member(
        self, caller: Caller, flow_id: str, name: str, value: Any, preconditions: Preconditions | None = None
    ) -> None:
        """Set one member, or remove it if `value` is None.

        Raises: Forbidden if the flow is read-only, unless the member is read_only (FLOW-RO-04), or if the profile sets
            the member; Invalid (FLOW-ABR-05); PreconditionFailed.
        """
        with write_with_events(self._env) as (tx, journal):
            tx.lock(f"flow:{flow_id}")
            row = flow_rows.get(tx, caller, flow_id)
            if name != "read_only":
                flow_rules.check_writable(row)
            flow_rules.check_sizes({name: value})
            stored = row["doc"]
            if preconditions is not None:
                shown = stored.get(name, False if name == "read_only" else None)
                preconditions.check_change(member_state(flow_version(stored), shown))
            profile_link.check_not_set_by_profile(stored, name, unset=value is None)
            doc = {key: kept for key, kept in stored.items() if key != name}
            if value is not None:
                doc[name] = value
            self._update(tx, journal, caller, row, doc)

    @retried
    def set_tag(
        self,
        caller: Caller,
        flow_id: str,
        name: str,
        value: str | Sequence[str],
        preconditions: Preconditions | None = None,
    ) -> None:
        """Set one tag and keep the others (FLOW-TAG-03, -06).

        Raises: Invalid; Forbidden if the flow is read-only; PreconditionFailed.
        """
        with write_with_events(self._env) as (tx, journal):
            row = flow_rows.lock_writable(tx, caller, flow_id)
            tag_rows.check_tag(name, value)
            tags = row["doc"].get("tags", {})
            if preconditions is not None:
                preconditions.check_change(member_state(flow_version(row["doc"]), tags.get(name)))
            doc = {**row["doc"], "tags": {**tags, name: value}}
            self._update(tx, journal, caller, row, doc)

    @retried
    def delete_tag(self, caller: Caller, flow_id: str, name: str, preconditions: Preconditions | None = None) -> None:
        """Remove one tag.

        Raises: NotFound if it is not set (A29); Forbidden if the flow is read-only; PreconditionFailed.
        """
        with write_with_events(self._env) as (tx, journal):
            row = flow_rows.lock_writable(tx, caller, flow_id)
            tags = dict(row["doc"].get("tags", {}))
            value = tags.pop(name, None)
            if value is None:
                raise _no_tag(flow_id, name)
            if preconditions is not None:
                preconditions.check_change(member_state(flow_version(row["doc"]), value))
            self._update(tx, journal, caller, row, {**row["doc"], "tags": tags})

    def require(self, caller: Caller, flow_id: str, *, writable: bool = False) -> None:
        """Check that the flow exists. Raises: NotFound; Forbidden if `writable` and the flow is read-only."""
        with self._env.engine.read_once() as tx:
            row = flow_rows.get(tx, caller, flow_id)
        if writable:
            flow_rules.check_writable(row)

    def require_not_read_only(self, caller: Caller, flow_id: str) -> None:
        """Check that the flow, if it exists, may be changed. Raises: Forbidden."""
        with self._env.engine.read_once() as tx:
            row = flow_rows.get_if_present(tx, caller, flow_id)
        if row is not None:
            flow_rules.check_writable(row)

    def _create(
        self,
        tx: Writer,
        journal: EventJournal,
        caller: Caller,
        doc: dict[str, Any],
        body: Mapping[str, Any],
        *,
        new_source: bool,
    ) -> dict[str, Any]:
        _check_not_being_deleted(tx, doc["id"])
        now = self._env.clock()
        doc |= {
            "created_by": body.get("created_by", caller.name),
            "updated_by": caller.name,
            "metadata_version": next_metadata_version(body.get("metadata_version"), None),
            "created": rfc3339(now),
            "metadata_updated": rfc3339(now),
        }
        if new_source:
            source_lifecycle.create_with_first_flow(tx, caller, doc, now, describe=self._env.describe_sources)
        members = doc.get("flow_collection", [])
        if members:
            tx.lock(flow_collections.LOCK)
            flow_collections.check_members(tx, doc["id"], doc["source_id"], members)
        columns = {**flow_rules.filter_columns(doc), **content_columns((0, 0))}
        row = cast(FlowRow, {**columns, "created": now, "metadata_updated": now, "doc": doc})
        tx.insert("flows", [row])
        tag_rows.replace_rows(tx, KIND, doc["id"], doc.get("tags", {}))
        changed_sources: set[str] = set()
        if members:
            flow_collections.replace_members(tx, doc["id"], members)
            changed_sources = derive_source_collection(tx, doc["source_id"])
        created = flow_rows.documents(tx, [{**row, "segments_updated": None}])[0]
        if new_source:
            sources.record_events(tx, journal, "sources/created", [doc["source_id"]], doc["metadata_updated"])
            changed_sources.discard(doc["source_id"])
        journal.flow("flows/created", created, doc["metadata_updated"])
        member_ids = {item["id"] for item in members} - {doc["id"]}
        flow_rows.record_collection_changes(tx, journal, member_ids, changed_sources)
        return created

    def _update(
        self,
        tx: Writer,
        journal: EventJournal,
        caller: Caller,
        row: FlowRow,
        doc: dict[str, Any],
        *,
        requested_version: Any = None,
    ) -> None:
        """Store the changed document with a new metadata_version, and what follows from it (FLOW-META-02, -08, -11 to
        -13)."""
        check_document(doc, "flow")
        now = self._env.clock()
        stored = row["doc"]
        doc |= {
            "created_by": stored["created_by"],
            "created": stored["created"],
            "updated_by": caller.name,
            "metadata_updated": rfc3339(now),
            "metadata_version": next_metadata_version(requested_version, stored["metadata_version"]),
        }
        before, members = stored.get("flow_collection", []), doc.get("flow_collection", [])
        changed_sources: set[str] = set()
        if members != before:
            tx.lock(flow_collections.LOCK)
            flow_collections.check_members(tx, doc["id"], doc["source_id"], members)
            flow_collections.replace_members(tx, doc["id"], members)
            changed_sources = derive_source_collection(tx, doc["source_id"])
        if doc.get("tags", {}) != stored.get("tags", {}):
            tag_rows.replace_rows(tx, KIND, doc["id"], doc.get("tags", {}))
        flow_rows.update(tx, row, {**flow_rules.filter_columns(doc), "metadata_updated": now, "doc": doc})
        flow_rows.record_updates(tx, journal, [doc["id"]], doc["metadata_updated"])
        changed_members = {item["id"] for item in before} ^ {item["id"] for item in members}
        flow_rows.record_collection_changes(tx, journal, changed_members - {doc["id"]}, changed_sources)


def _check_not_being_deleted(tx: Reader, flow_id: str) -> None:
    """Reject an id whose earlier flow still has segments to be deleted (A59). Raises: NotFound."""
    pending = [*equals(flow_id=flow_id), In("status", ("created", "started", "error"))]
    if any(request["doc"]["delete_flow"] for request in tx.select("deletion_requests", pending)):
        raise NotFound(f"flow {flow_id} is still being deleted", field="flow_id", behaviour="A59")


def _no_tag(flow_id: str, name: str) -> NotFound:
    return NotFound(f"flow {flow_id} has no tag {name!r}", field="name", behaviour="FLOW-TAG-02")
