"""Flows: listed, read, put, changed in part and deleted (FLOW-*)."""

from collections.abc import Mapping, Sequence
from typing import Any

from storage.catalog import profiles, sources
from storage.catalog import tags as tag_rows
from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.event_journal import Journal, change
from storage.catalog.flows import flow_collections, flow_rows, flow_rules
from storage.catalog.flows.content_range import extent
from storage.catalog.flows.flow_filter import KIND, FlowFilter
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.retry import retried
from storage.errors import Forbidden, Invalid, NotFound
from storage.tables.conditions import In, equals
from storage.tables.engine import Reader, Row, Writer
from storage.timerange import TimeRange

ORDERS = {
    "created": Order(("created", "id"), descending=True),
    "metadata_updated": Order(("metadata_updated", "id"), descending=True),
    "label": Order(("unlabelled", "label", "id")),
}


class Flows:
    def __init__(self, env: Environment) -> None:
        self._env = env

    def page(self, caller: Caller, filters: FlowFilter, sort_by: str, request: PageRequest) -> Page:
        """Flows that match, newest first unless sorted otherwise (FLOW-LIST-*, SORT-02 to -08)."""
        size = request.size(self._env.limits)
        where = [*filters.conditions(), *caller.visible(KIND)]
        with self._env.engine.read() as tx:
            rows, next_key = select_page(tx, "flows", where, ORDERS[sort_by], request, size)
            found = flow_rows.documents(tx, rows)
        return Page(found, size, request.reverse, next_key)

    def get(self, caller: Caller, flow_id: str, within: TimeRange | None = None) -> dict[str, Any]:
        """The flow's document; with `within`, also its timerange as far as it lies in there (FLOW-GET-03 to -07)."""

        def read(tx: Reader) -> dict[str, Any]:
            row = flow_rows.find(tx, caller, flow_id)
            doc = flow_rows.documents(tx, [row])[0]
            if within is not None:
                doc["timerange"] = str(extent(tx, row, within))
            return doc

        return self._env.engine.read_under(f"flow:{flow_id}", read)

    def member(self, caller: Caller, flow_id: str, name: str) -> Any:
        """The value of one member. Raises NotFound where it is not set, but for tags and read_only (A15, A30)."""
        with self._env.engine.read_once() as tx:
            doc = flow_rows.find(tx, caller, flow_id)["doc"]
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
    def put(self, caller: Caller, flow_id: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Create the flow, and give its document, or replace what clients set of it, and give None (FLOW-PUT-*)."""
        with change(self._env) as (tx, journal):
            tx.lock(f"flow:{flow_id}", f"source:{body['source_id']}")
            row = flow_rows.look(tx, caller, flow_id)
            if row is not None:
                flow_rules.check_writable(row)
            flow_rules.check_body(flow_id, body)
            stored = row["doc"] if row else None
            doc = self._document(tx, body, stored)
            source = tx.get("sources", id=doc["source_id"])
            if stored is not None:
                flow_rules.check_source(doc, stored)
            flow_rules.check_format(doc, stored, source["format"] if source else None)
            if row is not None:
                self._save(tx, journal, caller, row, doc, wanted_version=body.get("metadata_version"))
                return None
            return self._create(tx, journal, caller, doc, body, new_source=source is None)

    @retried
    def set_member(self, caller: Caller, flow_id: str, name: str, value: Any) -> None:
        """Set one member; a value of None unsets it. `read_only` may be set on a read-only flow, no other (FLOW-RO-04,
        FLOW-ABR-05)."""
        with change(self._env) as (tx, journal):
            tx.lock(f"flow:{flow_id}")
            row = flow_rows.find(tx, caller, flow_id)
            if name != "read_only":
                flow_rules.check_writable(row)
            stored = row["doc"]
            if name in profiles.TECHNICAL and "profile_id" in stored:
                _refuse_inherited(flow_id, name, unset=value is None)
            doc = {key: kept for key, kept in stored.items() if key != name}
            if value is not None:
                doc[name] = value
            self._save(tx, journal, caller, row, doc)

    @retried
    def set_tag(self, caller: Caller, flow_id: str, name: str, value: str | Sequence[str]) -> None:
        """Set one tag and leave the others (FLOW-TAG-03, -06)."""
        with change(self._env) as (tx, journal):
            row = flow_rows.find_writable(tx, caller, flow_id)
            doc = {**row["doc"], "tags": {**row["doc"].get("tags", {}), name: value}}
            self._save(tx, journal, caller, row, doc)

    @retried
    def delete_tag(self, caller: Caller, flow_id: str, name: str) -> None:
        """Remove one tag. Raises NotFound where it is not there (A29)."""
        with change(self._env) as (tx, journal):
            row = flow_rows.find_writable(tx, caller, flow_id)
            tags = dict(row["doc"].get("tags", {}))
            if tags.pop(name, None) is None:
                raise _no_tag(flow_id, name)
            self._save(tx, journal, caller, row, {**row["doc"], "tags": tags})

    def require(self, caller: Caller, flow_id: str, *, writable: bool = False) -> None:
        """Raises NotFound where there is no such flow, Forbidden where it is to be writable and is not."""
        with self._env.engine.read_once() as tx:
            row = flow_rows.find(tx, caller, flow_id)
        if writable:
            flow_rules.check_writable(row)

    def refuse_read_only(self, caller: Caller, flow_id: str) -> None:
        """Raises Forbidden where there is such a flow and it is read-only."""
        with self._env.engine.read_once() as tx:
            row = flow_rows.look(tx, caller, flow_id)
        if row is not None:
            flow_rules.check_writable(row)

    def _document(self, tx: Reader, body: Mapping[str, Any], stored: Mapping[str, Any] | None) -> dict[str, Any]:
        """What is to be stored of `body`, with the technical metadata of its profile (FLOW-PROF-*, AMB-07)."""
        doc = {"id": body["id"], "source_id": body["source_id"], **flow_rules.common_of(body)}
        linked = stored.get("profile_id") if stored else None
        profile_id = body.get("profile_id")
        if profile_id:
            if stored is not None and profile_id != linked:
                self._check_relink(tx, stored)
            profile = profiles.find(tx, profile_id)
            if profile is None:
                raise Invalid(
                    f"profile_id {profile_id!r} is not a profile of this service",
                    field="profile_id",
                    behaviour="FLOW-PROF-02",
                )
            return {**doc, **profile["doc"]["flow_metadata"], "profile_id": profile_id}
        technical = flow_rules.technical_of(body)
        if stored is not None and linked and profile_id is None:
            changed = [name for name in profiles.TECHNICAL if technical.get(name) != stored.get(name)]
            if changed:
                raise Invalid(
                    f"{changed[0]} comes from profile {linked}: set profile_id to an empty text to end the link",
                    field=changed[0],
                    behaviour="FLOW-PROF-07",
                )
            doc["profile_id"] = linked
        return doc | technical

    @staticmethod
    def _check_relink(tx: Reader, stored: Mapping[str, Any]) -> None:
        if tx.select("segments", equals(flow_id=stored["id"]), limit=1, columns=["flow_id"]):
            raise Invalid(
                "profile_id cannot be set anew while the flow has segments", field="profile_id", behaviour="AMB-07"
            )

    def _create(
        self,
        tx: Writer,
        journal: Journal,
        caller: Caller,
        doc: dict[str, Any],
        body: Mapping[str, Any],
        *,
        new_source: bool,
    ) -> dict[str, Any]:
        pending = [*equals(flow_id=doc["id"]), In("status", ("created", "started", "error"))]
        if any(request["doc"]["delete_flow"] for request in tx.select("deletion_requests", pending)):
            raise NotFound(f"flow {doc['id']} is still being deleted", field="flowId", behaviour="A59")
        now = self._env.clock()
        doc |= {
            "created_by": body.get("created_by", caller.name),
            "updated_by": caller.name,
            "metadata_version": flow_rules.next_version(body.get("metadata_version"), None),
            "created": rfc3339(now),
            "metadata_updated": rfc3339(now),
        }
        if new_source:
            sources.create(tx, caller, doc["source_id"], doc["format"], now)
        members = doc.get("flow_collection", [])
        if members:
            tx.lock(flow_rows.COLLECTIONS)
            flow_collections.check_members(tx, doc["id"], doc["source_id"], members)
        columns = flow_rules.columns_of(doc)
        row = {**columns, "created": now, "metadata_updated": now, "content_start": 0, "content_end": 0, "doc": doc}
        tx.insert("flows", [row])
        tag_rows.replace_rows(tx, KIND, doc["id"], doc.get("tags", {}))
        changed: set[str] = set()
        if members:
            flow_collections.replace_rows(tx, doc["id"], members)
            changed = flow_collections.derive_source_collection(tx, doc["source_id"])
        created = flow_rows.documents(tx, [{**row, "segments_updated": None}])[0]
        if new_source:
            sources.record(tx, journal, "sources/created", [doc["source_id"]], doc["created"])
            changed.discard(doc["source_id"])
        journal.flow("flows/created", created, created["created"])
        flow_rows.record_members(tx, journal, {item["id"] for item in members} - {doc["id"]}, changed)
        return created

    def _save(
        self,
        tx: Writer,
        journal: Journal,
        caller: Caller,
        row: Row,
        doc: dict[str, Any],
        *,
        wanted_version: Any = None,
    ) -> None:
        """Write the changed document, with everything that follows from it (FLOW-META-02, -08, -11 to -13)."""
        now = self._env.clock()
        stored = row["doc"]
        doc |= {
            "created_by": stored["created_by"],
            "created": stored["created"],
            "updated_by": caller.name,
            "metadata_updated": rfc3339(now),
            "metadata_version": flow_rules.next_version(wanted_version, stored["metadata_version"]),
        }
        before, members = stored.get("flow_collection", []), doc.get("flow_collection", [])
        changed: set[str] = set()
        if members != before:
            tx.lock(flow_rows.COLLECTIONS)
            flow_collections.check_members(tx, doc["id"], doc["source_id"], members)
            flow_collections.replace_rows(tx, doc["id"], members)
            changed = flow_collections.derive_source_collection(tx, doc["source_id"])
        if doc.get("tags", {}) != stored.get("tags", {}):
            tag_rows.replace_rows(tx, KIND, doc["id"], doc.get("tags", {}))
        flow_rows.replace(tx, row, {**flow_rules.columns_of(doc), "metadata_updated": now, "doc": doc})
        flow_rows.record(tx, journal, [doc["id"]], doc["metadata_updated"])
        moved = {item["id"] for item in before} ^ {item["id"] for item in members}
        flow_rows.record_members(tx, journal, moved - {doc["id"]}, changed)


def _refuse_inherited(flow_id: str, name: str, *, unset: bool) -> None:
    message = f"{name} of flow {flow_id} comes from its profile: end the link first, by a PUT of the flow"
    if unset:
        raise Forbidden(message, field=name, behaviour="AMB-07")
    raise Invalid(message, field=name, behaviour="FLOW-ABR-05")


def _no_tag(flow_id: str, name: str) -> NotFound:
    return NotFound(f"flow {flow_id} has no tag {name!r}", field="name", behaviour="FLOW-TAG-02")
