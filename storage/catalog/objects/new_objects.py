"""The objects that one request registers: checked one after another, then written together (F6)."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage import error_codes
from storage.catalog.access.checks import find_all_permissions, not_found, not_permitted
from storage.catalog.access_rules import NONE
from storage.catalog.batch import Item
from storage.catalog.caller import Caller
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.flows import flow_rows
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.flows.flow_rules import check_container, check_writable
from storage.catalog.objects.allocation import (
    Allocation,
    allocated_object,
    allocation_time,
    check_presigned,
    content_type_of,
    taken_ids,
)
from storage.catalog.objects.instances import controlled_instance
from storage.catalog.objects.lifetime import allocated_until
from storage.catalog.objects.new_instances import NewInstances
from storage.catalog.usage import require_remaining_bytes
from storage.errors import AlreadyExists, QuotaExceeded
from storage.media.names import extension_for
from storage.media.object_store import ObjectStore
from storage.tables.conditions import In
from storage.tables.rows import FlowRow, InstanceRow, ObjectRow
from storage.tables.transaction import Reader, Writer


@dataclass(frozen=True, slots=True)
class NewObject:
    """An object as it is written. store: to which it is to be uploaded; None if its bytes are elsewhere."""

    row: ObjectRow
    instances: Sequence[InstanceRow]
    store: ObjectStore | None = None
    presigned: bool = True


class NewObjects:
    """Objects to be registered in one transaction, which holds the locks of their ids and of their flows.

    items: all that will be added, each with an id. now: when they are registered, in microseconds since 1970.
    """

    def __init__(
        self, tx: Reader, env: Environment, caller: Caller, allocation: Allocation, items: Sequence[Item]
    ) -> None:
        self._env = env
        self._caller = caller
        self._allocation = allocation
        flow_ids = sorted({item["flow_id"] for item in items})
        self._permissions = find_all_permissions(tx, caller, KIND, flow_ids)
        columns = flow_rows.CONTENT_WRITER_COLUMNS
        self._flows = {row["id"]: row for row in tx.select("flows", [In("id", flow_ids)], columns=columns)}
        self._taken = taken_ids(tx, env, [item["object_id"] for item in items])
        self._quota_error = _quota_error(tx, env, caller)
        self.now = allocation_time(env, self._flows.values())
        self._new_instances = NewInstances(env, ())
        self._accepted: list[NewObject] = []

    def add(self, item: Item) -> NewObject:
        """Check one object and accept it. Raises: AlreadyExists, Forbidden, Invalid or NotFound."""
        flow = self._writable_flow(item["flow_id"])
        if item["object_id"] in self._taken:
            raise AlreadyExists(
                f"object {item['object_id']!r} exists already; it has not been changed",
                code=error_codes.ALREADY_EXISTS,
                field="object_id",
                behaviour="STO-05",
            )
        new = self._elsewhere(flow, item) if "get_urls" in item else self._to_upload(flow, item)
        self._accepted.append(new)
        return new

    def write(self, tx: Writer) -> None:
        """Write the accepted objects."""
        tx.insert("objects", [each.row for each in self._accepted], fresh=True)
        tx.insert("instances", [row for each in self._accepted for row in each.instances], fresh=True)

    def _writable_flow(self, flow_id: str) -> FlowRow:
        """The flow's row. Raises: NotFound, Forbidden, Invalid."""
        flow, permissions = self._flows.get(flow_id), self._permissions.get(flow_id, NONE)
        if flow is None or not permissions:
            raise not_found(KIND, flow_id)
        if "write" not in permissions:
            raise not_permitted(KIND, flow_id, "write")
        check_writable(flow)
        check_container(flow)
        return flow

    def _to_upload(self, flow: FlowRow, item: Item) -> NewObject:
        if self._quota_error is not None:
            raise self._quota_error
        store = self._allocation.store_for(self._caller, item.get("storage_id"))
        check_presigned(store, item.get("presigned"))
        content_type, object_id = content_type_of(flow, item.get("content_type")), item["object_id"]
        expires = allocated_until(self._env.limits, self.now, store)
        row = allocated_object(object_id, flow["id"], self.now, expires, content_type, self._caller.name)
        extension = extension_for(object_id, content_type)
        instance = controlled_instance(object_id, store.backend.id, extension, self.now)
        return NewObject(row, [instance], store, item.get("presigned", True))

    def _elsewhere(self, flow: FlowRow, item: Item) -> NewObject:
        instances = self._new_instances.from_item(item)
        expires = self.now + self._env.limits.unregistered_object_s * SECOND
        return NewObject(allocated_object(item["object_id"], flow["id"], self.now, expires), instances)


def _quota_error(tx: Reader, env: Environment, caller: Caller) -> QuotaExceeded | None:
    """The error for everything that is to be uploaded, if the caller has stored as much as it may."""
    try:
        require_remaining_bytes(tx, env, caller.name)
    except QuotaExceeded as error:
        return error
    return None
