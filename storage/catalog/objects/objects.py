"""Objects and their instances: read an object, and add or remove its instances (OBJ-*)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from storage import error_codes
from storage.catalog.access.backends import backend_permissions, readable_backends, require_backend
from storage.catalog.access.checks import reading
from storage.catalog.access.object_access import object_not_found, require_object, require_object_before_lock
from storage.catalog.access_rules import Permission
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.objects.byte_removal import schedule_removal
from storage.catalog.objects.get_urls import GetUrlFilter, get_urls_of, read_instances
from storage.catalog.objects.instances import instance_name
from storage.catalog.objects.uncontrolled_urls import (
    check_number_of_urls,
    check_size_of_urls,
    check_uncontrolled_url,
    uncontrolled_instance,
)
from storage.catalog.paging import Order, PageRequest, select_page
from storage.catalog.retry import retried
from storage.catalog.tags import TagFilter
from storage.catalog.usage import discharge
from storage.errors import Invalid, NotFound
from storage.preconditions import Preconditions, ResourceState, ResourceVersion, digest_of
from storage.tables.conditions import Exists, equals
from storage.tables.rows import InstanceRow, ObjectRow
from storage.tables.transaction import Reader, Writer

_REFERENCES_ORDER = Order(("object_id", "flow_id"))


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """An object's document with one page of `referenced_by_flows`.

    limit: the maximum number of flows, as applied. next_key: page key of the next page; None on the last page.
    version: of the object and its instances.
    """

    document: dict[str, Any]
    limit: int
    next_key: str | None
    version: ResourceVersion


@dataclass(frozen=True, slots=True)
class ObjectQuery:
    """What to return of an object.

    request: the page of referenced_by_flows. flow_tags: which flows to list there. get_urls: which get_urls to return.
    """

    request: PageRequest = field(default_factory=PageRequest)
    flow_tags: TagFilter = field(default_factory=TagFilter)
    get_urls: GetUrlFilter = field(default_factory=GetUrlFilter)


class Objects:
    """The registered objects of the catalogue."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def get(self, caller: Caller, object_id: str, query: ObjectQuery, base_url: str) -> ObjectPage:
        """The document of a registered object (object.json, OBJ-01 to -21). Raises: NotFound."""
        size = query.request.size(self._env.limits)
        if query.request.limit is None:
            size = self._env.limits.page_max
        flows = Exists("flows", "id", "flow_id", caller.visible("flow"))
        urls = query.get_urls.of_backends(readable_backends(self._env, caller))
        where = [*equals(object_id=object_id), flows, *query.flow_tags.conditions("flow", outer="flow_id")]
        with self._env.engine.read() as tx:
            require_object(tx, caller, object_id, "read")
            row = get_registered(tx, object_id)
            rows, next_key = select_page(tx, "object_refs", where, _REFERENCES_ORDER, query.request, size)
            if not rows:
                require_use(tx, object_id)
            flow_ids = [ref["flow_id"] for ref in rows]
            first_is_visible = row["flow_id"] in flow_ids or tx.select(
                "object_refs", [*equals(object_id=object_id, flow_id=row["flow_id"]), flows], limit=1
            )
            init_id = row["init_object_id"]
            object_ids = {object_id} if init_id is None else {object_id, init_id}
            # An init object may have another content type than the object itself, which is not read here.
            types = {object_id: row["content_type"]} if init_id is None else None
            instances = read_instances(tx, self._env, sorted(object_ids), urls, types)
        get_urls = get_urls_of(self._env, object_ids, instances, urls, base_url)
        doc: dict[str, Any] = {"id": object_id, "referenced_by_flows": flow_ids}
        if first_is_visible:
            doc["first_referenced_by_flow"] = row["flow_id"]
        if row["timerange"] is not None:
            doc["timerange"] = row["timerange"]
        if row["key_frame_count"] is not None:
            doc["key_frame_count"] = row["key_frame_count"]
        doc["get_urls"] = get_urls[object_id]
        if init_id is not None:
            doc["init_object"] = {"id": init_id, "get_urls": get_urls[init_id]}
        version = object_version(row, [each for each in instances if each["object_id"] == object_id])
        return ObjectPage(doc, size, next_key, version)

    def require(self, caller: Caller, object_id: str, permission: Permission = "read") -> None:
        """Check that the object is registered, and that the caller has a permission on it.

        Raises: NotFound, Forbidden.
        """
        with reading(self._env.engine, caller) as tx:
            require_object(tx, caller, object_id, permission)
            get_registered(tx, object_id)
            require_use(tx, object_id)

    def content_type(self, object_id: str) -> str | None:
        """The content type of an object, allocated or registered; None if it is unknown or there is no such object."""
        with self._env.engine.read_once() as tx:
            row = tx.get("objects", id=object_id)
        return row["content_type"] if row else None

    @retried
    def add_uncontrolled(
        self, caller: Caller, object_id: str, url: str, label: str, preconditions: Preconditions | None = None
    ) -> None:
        """Add an uncontrolled instance (OBJ-INST-POST-07 to -10).

        Raises: NotFound, Forbidden, Invalid, PreconditionFailed.
        """
        require_object_before_lock(self._env.engine, caller, object_id, "write")
        with self._env.engine.write() as tx:
            tx.lock(f"object:{object_id}")
            require_object(tx, caller, object_id, "write")
            row = get_registered(tx, object_id)
            require_use(tx, object_id)
            if preconditions is not None:
                preconditions.check_change(object_state(tx, row))
            check_uncontrolled_url(self._env, url, label, "instance")
            stored = tx.select("instances", equals(object_id=object_id), columns=["label", "storage_id", "url"])
            uncontrolled = {row["label"] or "": row["url"] or "" for row in stored if row["storage_id"] is None}
            if label in uncontrolled:
                raise Invalid(
                    f"label {label!r} already exists on an instance of this object",
                    code=error_codes.INSTANCE_EXISTS,
                    field="label",
                    behaviour="OBJ-INST-POST-10",
                )
            check_number_of_urls(self._env, len(uncontrolled) + 1, "url")
            check_size_of_urls([*uncontrolled.items(), (label, url)], "url")
            tx.insert("instances", [uncontrolled_instance(self._env, object_id, url, label)])

    @retried
    def remove_instance(
        self,
        caller: Caller,
        object_id: str,
        storage_id: str | None,
        label: str | None,
        preconditions: Preconditions | None = None,
    ) -> None:
        """Remove the instance with this storage backend or label, or both (OBJ-INST-DEL-01 to -11, A54 to A56).

        Raises: NotFound; Forbidden; PreconditionFailed; Invalid if it is the object's last instance, or if the two
            arguments name different ones.
        """
        if storage_id is None and label is None:
            raise Invalid(
                "storage_id or label is required, to select an instance",
                code=error_codes.INSTANCE_SELECTION,
                field="storage_id",
                behaviour="OBJ-INST-DEL-03",
            )
        require_object_before_lock(self._env.engine, caller, object_id, "write")
        with self._env.engine.write() as tx:
            tx.lock(f"object:{object_id}")
            require_object(tx, caller, object_id, "write")
            row = get_registered(tx, object_id)
            require_use(tx, object_id)
            instances = tx.select("instances", equals(object_id=object_id), order=("object_id", "instance"))
            if preconditions is not None:
                preconditions.check_change(ResourceState(version=object_version(row, instances).tag))
            known = [each for each in instances if self._is_known(caller, each)]
            by_storage_id = [each for each in known if storage_id is None or each["storage_id"] == storage_id]
            by_label = [each for each in known if label is None or self._label(each) == label]
            if not by_storage_id or not by_label:
                raise NotFound(
                    f"object {object_id!r} has no such instance",
                    code=error_codes.INSTANCE_NOT_FOUND,
                    field="storage_id",
                    behaviour="OBJ-INST-DEL-05",
                )
            selected = [each for each in by_storage_id if each in by_label]
            if not selected:
                raise Invalid(
                    "storage_id and label select two different instances",
                    code=error_codes.INSTANCE_SELECTION,
                    field="label",
                    behaviour="OBJ-INST-DEL-04",
                )
            if selected[0]["storage_id"] is not None:
                require_backend(self._env, caller, selected[0]["storage_id"], "OBJ-INST-DEL-05")
            if len(instances) == 1:
                raise Invalid(
                    f"this is the last instance of object {object_id!r}; delete the segments that refer to it instead",
                    code=error_codes.INSTANCE_LAST,
                    field="storage_id",
                    behaviour="OBJ-INST-DEL-06",
                )
            self._delete_instance(tx, selected[0])

    def _delete_instance(self, tx: Writer, instance: InstanceRow) -> None:
        tx.delete("instances", equals(object_id=instance["object_id"], instance=instance["instance"]))
        if instance["storage_id"] is not None:
            schedule_removal(tx, self._env.clock(), [(instance["storage_id"], instance_name(instance))])
        discharge(tx, [instance])

    def _is_known(self, caller: Caller, instance: InstanceRow) -> bool:
        """Whether the caller has any permission on the storage backend of an instance."""
        store = self._env.stores.get(instance["storage_id"] or "")
        return store is None or bool(backend_permissions(caller, store.backend))

    def _label(self, instance: InstanceRow) -> str | None:
        store = self._env.stores.get(instance["storage_id"] or "")
        return store.backend.label if store else instance["label"]


def get_registered(tx: Reader, object_id: str) -> ObjectRow:
    """The row of an object that some segment refers to (OBJ-02, OBJ-03, OBJ-LIFE-02). Raises: NotFound."""
    row = tx.get("objects", id=object_id)
    if row is None or row["state"] == "allocated" or row["expires"] is not None:
        raise object_not_found(object_id)
    return row


def require_use(tx: Reader, object_id: str) -> None:
    """Check that a flow uses the object: one that only deleted flows use is kept for them, but not shown (F13).

    Raises: NotFound.
    """
    where = [*equals(object_id=object_id), Exists("flows", "id", "flow_id")]
    if not tx.select("object_refs", where, limit=1, columns=["flow_id"]):
        raise object_not_found(object_id)


def object_version(row: ObjectRow, instances: Iterable[InstanceRow]) -> ResourceVersion:
    """Return the version of an object. instances: its own, sorted by key. The flows that refer to it do not count."""
    places = [(each["instance"], each["created"]) for each in instances]
    return ResourceVersion(digest_of([row["id"], row["created"], places]))


def object_state(tx: Reader, row: ObjectRow) -> ResourceState:
    """Return the state with which the preconditions of a change of an object are compared."""
    instances = tx.select("instances", equals(object_id=row["id"]), order=("object_id", "instance"))
    return ResourceState(version=object_version(row, instances).tag)
