"""Objects and their instances (OBJ-*)."""

from dataclasses import dataclass, field
from typing import Any

from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.objects.byte_removal import schedule_removal
from storage.catalog.objects.get_urls import UrlFilter, read_get_urls
from storage.catalog.objects.uncontrolled_urls import check_uncontrolled, uncontrolled_row
from storage.catalog.paging import Order, PageRequest, select_page
from storage.catalog.retry import retried
from storage.catalog.tags import TagFilter
from storage.errors import Invalid, NotFound
from storage.tables.conditions import Exists, equals
from storage.tables.engine import Reader, Row, Writer

_REFERENCES = Order(("object_id", "flow_id"))


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """An object's document, of which `referenced_by_flows` is one page."""

    document: dict[str, Any]
    limit: int
    next_key: str | None


@dataclass(frozen=True, slots=True)
class ObjectQuery:
    """request: paging of referenced_by_flows; flow_tags: which flows to name there; urls: which get_urls to show."""

    request: PageRequest = field(default_factory=PageRequest)
    flow_tags: TagFilter = field(default_factory=TagFilter)
    urls: UrlFilter = field(default_factory=UrlFilter)


class Objects:
    def __init__(self, env: Environment) -> None:
        self._env = env

    def get(self, caller: Caller, object_id: str, query: ObjectQuery, base_url: str) -> ObjectPage:
        """An object that a segment names (OBJ-01 to -21). Raises NotFound, also where it is only allocated."""
        size = query.request.size(self._env.limits)
        if query.request.limit is None:
            size = self._env.limits.page_max
        flows = Exists("flows", "id", "flow_id", caller.visible("flow"))
        where = [*equals(object_id=object_id), flows, *query.flow_tags.conditions("flow", outer="flow_id")]
        with self._env.engine.read() as tx:
            row = find(tx, object_id)
            rows, next_key = select_page(tx, "object_refs", where, _REFERENCES, query.request, size)
            named = [ref["flow_id"] for ref in rows]
            first = row["flow_id"] in named or tx.select(
                "object_refs", [*equals(object_id=object_id, flow_id=row["flow_id"]), flows], limit=1
            )
            init_id = row["init_object_id"]
            get_urls = read_get_urls(tx, self._env, {object_id, init_id} - {None}, query.urls, base_url)
        doc: dict[str, Any] = {"id": object_id, "referenced_by_flows": named}
        if first:
            doc["first_referenced_by_flow"] = row["flow_id"]
        for name in ("timerange", "key_frame_count"):
            if row[name] is not None:
                doc[name] = row[name]
        doc["get_urls"] = get_urls[object_id]
        if init_id is not None:
            doc["init_object"] = {"id": init_id, "get_urls": get_urls[init_id]}
        return ObjectPage(doc, size, next_key)

    def require(self, object_id: str) -> None:
        """Raises NotFound where no segment names such an object."""
        with self._env.engine.read_once() as tx:
            find(tx, object_id)

    def content_type(self, object_id: str) -> str | None:
        """The type that the bytes of an object must have, allocated or registered; None for one that is not here."""
        with self._env.engine.read_once() as tx:
            row = tx.get("objects", id=object_id)
        return row["content_type"] if row else None

    @retried
    def add_uncontrolled(self, object_id: str, url: str, label: str) -> None:
        """Name a further place at which the same bytes are (OBJ-INST-POST-07 to -10)."""
        with self._env.engine.write() as tx:
            tx.lock(f"object:{object_id}")
            find(tx, object_id)
            check_uncontrolled(self._env, url, label, "instance")
            if tx.get("instances", object_id=object_id, instance=f"label:{label}"):
                raise Invalid(
                    f"label {label!r} is in use already for this object", field="label", behaviour="OBJ-INST-POST-10"
                )
            tx.insert("instances", [uncontrolled_row(self._env, object_id, url, label)])

    @retried
    def remove_instance(self, object_id: str, storage_id: str | None, label: str | None) -> None:
        """Give up one place of the bytes, never the last (OBJ-INST-DEL-01 to -11, A54 to A56)."""
        if storage_id is None and label is None:
            raise Invalid(
                "storage_id or label must say which instance", field="storage_id", behaviour="OBJ-INST-DEL-03"
            )
        with self._env.engine.write() as tx:
            tx.lock(f"object:{object_id}")
            find(tx, object_id)
            instances = tx.select("instances", equals(object_id=object_id))
            named = [
                [i for i in instances if storage_id is None or i["storage_id"] == storage_id],
                [i for i in instances if label is None or self._label(i) == label],
            ]
            if not all(named):
                raise NotFound(
                    f"object {object_id!r} has no such instance", field="storage_id", behaviour="OBJ-INST-DEL-05"
                )
            chosen = [i for i in named[0] if i in named[1]]
            if not chosen:
                raise Invalid(
                    "storage_id and label name two different instances", field="label", behaviour="OBJ-INST-DEL-04"
                )
            if len(instances) == 1:
                raise Invalid(
                    f"this is the last instance of object {object_id!r}; delete the segments that name it instead",
                    field="storage_id",
                    behaviour="OBJ-INST-DEL-06",
                )
            self._drop(tx, chosen[0])

    def _drop(self, tx: Writer, instance: Row) -> None:
        place = {"object_id": instance["object_id"]}
        tx.delete("instances", equals(**place, instance=instance["instance"]))
        if instance["storage_id"] is not None:
            schedule_removal(tx, self._env.clock(), [(instance["storage_id"], instance["object_id"])])

    def _label(self, instance: Row) -> str | None:
        store = self._env.stores.get(instance["storage_id"] or "")
        return store.backend.label if store else instance["label"]


def find(tx: Reader, object_id: str) -> Row:
    """The row of an object that some segment names (OBJ-02, OBJ-03, OBJ-LIFE-02)."""
    row = tx.get("objects", id=object_id)
    if row is None or row["state"] == "allocated" or row["expires"] is not None:
        raise NotFound(f"there is no object {object_id!r}", field="objectId", behaviour="OBJ-02")
    return row
