"""Flows: list, read, create, replace and change them member by member (FLOW-*)."""

from collections.abc import Mapping, Sequence
from typing import Any

from storage import error_codes
from storage.catalog import tags as tag_rows
from storage.catalog.access.checks import read_under, reading, require_before_lock
from storage.catalog.access.class_changes import check_class_change
from storage.catalog.access.class_rows import replace_classes
from storage.catalog.access.class_spread import ClassChange
from storage.catalog.access.creation import CreationRights
from storage.catalog.access_rules import Permission
from storage.catalog.caller import Caller
from storage.catalog.clock import later_than, moment, rfc3339
from storage.catalog.environment import Environment
from storage.catalog.event_journal import EventJournal, write_with_events
from storage.catalog.flows import flow_rows, flow_rules, profile_link
from storage.catalog.flows.class_spreading import ClassSpreading
from storage.catalog.flows.content_range import content_timerange
from storage.catalog.flows.flow_deletion import KeptFlows
from storage.catalog.flows.flow_filter import KIND, FlowFilter
from storage.catalog.flows.metadata_version import flow_state, flow_version, next_metadata_version
from storage.catalog.flows.new_flows import NewFlows, still_being_deleted
from storage.catalog.flows.retention_right import check_retention_change
from storage.catalog.flows.source_collections import change_collection
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.retry import retried
from storage.errors import NotFound
from storage.preconditions import NO_RESOURCE, Preconditions, member_state
from storage.tables.auth_classes import TAG
from storage.tables.limits import check_document
from storage.tables.rows import FlowRow
from storage.tables.transaction import Reader, Writer
from storage.timerange import TimeRange

ORDERS = {
    "created": Order(("created", "id"), descending=True),
    "metadata_updated": Order(("metadata_updated", "id"), descending=True),
    "label": Order(("unlabelled", "label", "id")),
}


class Flows:
    """The flows of the catalogue. Methods for one flow raise NotFound if the caller cannot see it."""

    def __init__(self, env: Environment, kept: KeptFlows) -> None:
        self._env = env
        self._kept = kept
        self._spreading = ClassSpreading(env)

    def page(self, caller: Caller, filters: FlowFilter, sort_by: str, request: PageRequest) -> Page:
        """A page of the flows that pass the filters (FLOW-LIST-*, SORT-02 to -08). sort_by: a key of ORDERS."""
        size = request.size(self._env.limits)
        where = [*filters.conditions(), *caller.visible(KIND)]
        with self._env.engine.read() as tx:
            rows, next_key = select_page(tx, "flows", where, ORDERS[sort_by], request, size, flow_rows.DOCUMENT_COLUMNS)
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

        return read_under(self._env.engine, caller, f"flow:{flow_id}", read)

    def member(self, caller: Caller, flow_id: str, name: str) -> Any:
        """The value of one member. Raises: NotFound if it is not set, except for tags and read_only (A15, A30)."""
        with reading(self._env.engine, caller) as tx:
            doc = flow_rows.get(tx, caller, flow_id)["doc"]
        if name in doc:
            return doc[name]
        if name == "tags":
            return {}
        if name == "read_only":
            return False
        raise NotFound(
            f"flow {flow_id} has no {name}", code=error_codes.FLOW_MEMBER_NOT_SET, field=name, behaviour="FLOW-DESC-04"
        )

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
        Raises: Invalid; Forbidden if the flow is read-only, or if the caller may not create or change it; NotFound
            while a deleted flow of this id is being removed, or if the flow or its source is hidden from the caller;
            PreconditionFailed.
        """
        require_before_lock(self._env.engine, caller, KIND, flow_id, "write", may_be_absent=True)
        tag, members = body.get("tags", {}).get(TAG), body.get("flow_collection", ())
        below = self._spreading.locks(KIND, flow_id, tag, members)
        with write_with_events(self._env) as (tx, journal):
            tx.lock(f"flow:{flow_id}", f"source:{body['source_id']}", *below)
            row = flow_rows.get_to_replace(tx, caller, flow_id)
            if row is not None:
                self._replace(tx, journal, caller, row, body, preconditions, below)
                return None
            created = self._create(tx, journal, caller, flow_id, body, preconditions)
        if created is None:
            raise still_being_deleted(flow_id)
        return created

    @retried
    def set_member(
        self, caller: Caller, flow_id: str, name: str, value: Any, preconditions: Preconditions | None = None
    ) -> None:
        """Set one member, or remove it if `value` is None.

        Raises: Forbidden if the flow is read-only, unless the member is read_only (FLOW-RO-04), or if the profile sets
            the member; Invalid (FLOW-ABR-05); PreconditionFailed.
        """
        require_before_lock(self._env.engine, caller, KIND, flow_id, "write")
        below = self._spreading.locks(KIND, flow_id, (value or {}).get(TAG)) if name == "tags" else ()
        with write_with_events(self._env) as (tx, journal):
            tx.lock(f"flow:{flow_id}", *below)
            row = flow_rows.get(tx, caller, flow_id, permission="write")
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
            self._update(tx, journal, caller, row, doc, below)

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
        require_before_lock(self._env.engine, caller, KIND, flow_id, "write")
        below = self._spreading.locks(KIND, flow_id, value) if name == TAG else ()
        with write_with_events(self._env) as (tx, journal):
            row = flow_rows.lock_writable(tx, caller, flow_id, *below)
            tag_rows.check_tag(name, value)
            tags = row["doc"].get("tags", {})
            if preconditions is not None:
                preconditions.check_change(member_state(flow_version(row["doc"]), tags.get(name)))
            doc = {**row["doc"], "tags": {**tags, name: value}}
            self._update(tx, journal, caller, row, doc, below)

    @retried
    def delete_tag(self, caller: Caller, flow_id: str, name: str, preconditions: Preconditions | None = None) -> None:
        """Remove one tag.

        Raises: NotFound if it is not set (A29); Forbidden if the flow is read-only; PreconditionFailed.
        """
        require_before_lock(self._env.engine, caller, KIND, flow_id, "write")
        below = self._spreading.locks(KIND, flow_id, None) if name == TAG else ()
        with write_with_events(self._env) as (tx, journal):
            row = flow_rows.lock_writable(tx, caller, flow_id, *below)
            tags = dict(row["doc"].get("tags", {}))
            value = tags.pop(name, None)
            if value is None:
                raise _no_tag(flow_id, name)
            if preconditions is not None:
                preconditions.check_change(member_state(flow_version(row["doc"]), value))
            self._update(tx, journal, caller, row, {**row["doc"], "tags": tags}, below)

    def require(
        self,
        caller: Caller,
        flow_id: str,
        permission: Permission = "read",
        *,
        writable: bool = False,
        may_be_absent: bool = False,
    ) -> None:
        """Check that the flow exists, unless it may be absent, and that the caller has a permission on it.

        Raises: NotFound; Forbidden if the caller has other permissions only, or if `writable` and the flow is
            read-only.
        """
        with reading(self._env.engine, caller) as tx:
            find = flow_rows.get_if_present if may_be_absent else flow_rows.get
            row = find(tx, caller, flow_id, ("id", "read_only"), permission)
        if writable and row is not None:
            flow_rules.check_writable(row)

    def _create(
        self,
        tx: Writer,
        journal: EventJournal,
        caller: Caller,
        flow_id: str,
        body: Mapping[str, Any],
        preconditions: Preconditions | None,
    ) -> dict[str, Any] | None:
        """Create the flow. Returns None if a deleted flow with its id has so many segments that they must go first."""
        rights = CreationRights(tx, caller, [body["source_id"]])
        rights.check(body["source_id"])
        if preconditions is not None:
            preconditions.check_change(NO_RESOURCE)
        flow_rules.check_body(flow_id, body)
        kept = self._kept.lock_replaceable(tx, caller, flow_id, body["source_id"])
        new = NewFlows(tx, self._env, caller, rights, [body])
        new.add(body)
        if kept is not None and self._kept.delete(tx, kept) is not None:
            return None
        return new.write(journal)[0]

    def _replace(
        self,
        tx: Writer,
        journal: EventJournal,
        caller: Caller,
        row: FlowRow,
        body: Mapping[str, Any],
        preconditions: Preconditions | None,
        below: Sequence[str],
    ) -> None:
        flow_rules.check_writable(row)
        if preconditions is not None:
            preconditions.check_change(flow_state(row["doc"]))
        flow_rules.check_body(row["id"], body)
        doc = profile_link.resolve_profile(tx, body, row["doc"])
        source = tx.get("sources", id=doc["source_id"])
        flow_rules.check_source(doc, row["doc"])
        flow_rules.check_format(doc, row["doc"], source["format"] if source else None)
        self._update(tx, journal, caller, row, doc, below, requested_version=body.get("metadata_version"))

    def _update(
        self,
        tx: Writer,
        journal: EventJournal,
        caller: Caller,
        row: FlowRow,
        doc: dict[str, Any],
        below: Sequence[str],
        *,
        requested_version: Any = None,
    ) -> None:
        """Store the changed document with a new metadata_version, and what follows from it (FLOW-META-02, -08, -11 to
        -13)."""
        check_document(doc, "flow")
        stored = row["doc"]
        tags, stored_tags = doc.get("tags", {}), stored.get("tags", {})
        check_class_change(caller, KIND, doc["id"], stored_tags, tags)
        check_retention_change(tx, caller, stored, doc)
        now = later_than(moment(stored["metadata_updated"]), self._env.clock())
        doc |= {
            "created_by": stored["created_by"],
            "created": stored["created"],
            "updated_by": caller.name,
            "metadata_updated": rfc3339(now),
            "metadata_version": next_metadata_version(requested_version, stored["metadata_version"]),
        }
        changed_members, changed_sources = change_collection(tx, caller, doc, stored)
        if tags != stored_tags:
            tag_rows.check_room(self._env.engine, stored_tags, tags)
            tag_rows.replace_rows(tx, KIND, doc["id"], row["created"], tags)
            replace_classes(tx, self._env.access, KIND, doc["id"], row["created"], tags, stored_tags)
        flow_rows.update(tx, row, {**flow_rules.filter_columns(doc), "metadata_updated": now, "doc": doc})
        flow_rows.record_updates(tx, journal, [doc["id"]], doc["metadata_updated"])
        flow_rows.record_collection_changes(tx, journal, changed_members, changed_sources)
        self._spreading.spread(tx, journal, caller, ClassChange.of(KIND, doc["id"], stored_tags, tags), below)


def _no_tag(flow_id: str, name: str) -> NotFound:
    return NotFound(
        f"flow {flow_id} has no tag {name!r}",
        code=error_codes.FLOW_TAG_NOT_FOUND,
        field="name",
        behaviour="FLOW-TAG-02",
    )
