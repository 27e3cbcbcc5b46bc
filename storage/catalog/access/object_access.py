"""Permissions on objects: those that a caller has on the flows that use them (AUTHZ-05, -06, -08)."""

from collections.abc import Iterable

from storage import error_codes
from storage.catalog.access_rules import PERMISSIONS, Permission
from storage.catalog.caller import Caller
from storage.errors import Forbidden, NotFound
from storage.tables.conditions import Condition, Exists, In, equals
from storage.tables.engine import Engine
from storage.tables.transaction import Reader


def object_not_found(object_id: str) -> NotFound:
    """The error for an object that is not registered, or that is hidden from the caller."""
    return NotFound(
        f"there is no object {object_id!r}", code=error_codes.OBJECT_NOT_FOUND, field="object_id", behaviour="OBJ-02"
    )


def may_use_object(tx: Reader, caller: Caller, object_id: str, permission: Permission) -> bool:
    """Whether a flow uses the object on which the caller has a permission.

    One query, which returns as little of an object whose flows are hidden as of one that no flow uses.
    """
    if not caller.is_restricted:
        return True
    where = [*equals(object_id=object_id), *caller.visible("flow", outer="flow_id", permission=permission)]
    return bool(tx.select("object_refs", where, limit=1, columns=["object_id"]))


def require_object(tx: Reader, caller: Caller, object_id: str, permission: Permission) -> None:
    """Check a permission on an object. Without permission to read there is no object to read.

    Raises: NotFound; Forbidden if the caller has other permissions than this.
    """
    if may_use_object(tx, caller, object_id, permission):
        return
    others = [each for each in PERMISSIONS if each != permission]
    if permission == "read" or not any(may_use_object(tx, caller, object_id, each) for each in others):
        raise object_not_found(object_id)
    raise Forbidden(
        f"none of your groups grants {permission} on a flow that uses object {object_id!r}",
        code=error_codes.RIGHTS,
        field="object_id",
        behaviour="AUTHZ-08",
    )


def require_object_before_lock(engine: Engine, caller: Caller, object_id: str, permission: Permission) -> None:
    """As checks.require_before_lock. Raises: NotFound, Forbidden."""
    if caller.is_restricted:
        with engine.read_once() as tx:
            require_object(tx, caller, object_id, permission)


def used_by_readable_flow(caller: Caller) -> tuple[Condition, ...]:
    """The condition on the table of objects that a flow which the caller may read uses it."""
    return (Exists("object_refs", "object_id", "id", caller.visible("flow", outer="flow_id")),)


def readable_objects(tx: Reader, caller: Caller, object_ids: Iterable[str]) -> set[str]:
    """Those of the objects that a flow uses which the restricted caller may read. One query for all of them."""
    where = [In("id", sorted(object_ids)), *used_by_readable_flow(caller)]
    return {row["id"] for row in tx.select("objects", where, columns=["id"])}
