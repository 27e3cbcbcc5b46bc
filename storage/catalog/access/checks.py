"""Checks of permissions on single resources: 404 where the caller has none, 403 where it has another (AUTHZ-03).

A resource that is hidden costs the same queries as one that does not exist, and gives the same error. Its classes are
looked up before anything else of it is, so that nothing else can tell the two apart.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from storage import error_codes
from storage.catalog.access_rules import ALL, Permission
from storage.catalog.caller import Caller
from storage.errors import Forbidden, NotFound
from storage.tables.conditions import In, equals
from storage.tables.engine import Engine, T
from storage.tables.rows import TagOwner
from storage.tables.transaction import Reader

_ABSENT = {"flow": "FLOW-GET-02", "source": "SRC-GET-02", "webhook": "HOOK-GET-01"}
_CODES = {
    "flow": error_codes.FLOW_NOT_FOUND,
    "source": error_codes.SOURCE_NOT_FOUND,
    "webhook": error_codes.WEBHOOK_NOT_FOUND,
}


def not_found(kind: TagOwner, id_: str) -> NotFound:
    """The error for a resource that does not exist, or that is hidden from the caller."""
    return NotFound(f"there is no {kind} {id_}", code=_CODES[kind], field=f"{kind}_id", behaviour=_ABSENT[kind])


def not_permitted(kind: TagOwner, id_: str, permission: Permission) -> Forbidden:
    """The error for a resource on which the caller has other permissions, but not this one."""
    return Forbidden(
        f"none of your groups grants {permission} on {kind} {id_}",
        code=error_codes.RIGHTS,
        field=f"{kind}_id",
        behaviour="AUTHZ-03",
    )


def permissions_on(tx: Reader, caller: Caller, kind: TagOwner, ids: Sequence[str]) -> dict[str, frozenset[Permission]]:
    """The permissions of a restricted caller on resources, by id; those that do not exist are left out."""
    where = [*equals(kind=kind), In("owner_id", ids), In("name", caller.reach.names)]
    classes: dict[str, list[str]] = {}
    for row in tx.select("classes", where, columns=["owner_id", "name"]):
        classes.setdefault(row["owner_id"], []).append(row["name"])
    return {id_: caller.permissions(names) for id_, names in classes.items()}


def find_all_permissions(
    tx: Reader, caller: Caller, kind: TagOwner, ids: Sequence[str]
) -> Mapping[str, frozenset[Permission]]:
    """The permissions of a caller on resources, by id. Those that do not exist may be left out."""
    return permissions_on(tx, caller, kind, ids) if caller.is_restricted else dict.fromkeys(ids, ALL)


def find_permissions(tx: Reader, caller: Caller, kind: TagOwner, id_: str) -> frozenset[Permission]:
    """The permissions of a caller on one resource; none if it does not exist."""
    if not caller.is_restricted:
        return ALL
    return permissions_on(tx, caller, kind, [id_]).get(id_, frozenset())


def require(tx: Reader, caller: Caller, kind: TagOwner, id_: str, permission: Permission) -> None:
    """Check a permission on a resource that exists. Raises: NotFound, Forbidden."""
    if caller.is_restricted:
        found = find_permissions(tx, caller, kind, id_)
        if not found:
            raise not_found(kind, id_)
        if permission not in found:
            raise not_permitted(kind, id_, permission)


def require_before_lock(
    engine: Engine, caller: Caller, kind: TagOwner, id_: str, permission: Permission, *, may_be_absent: bool = False
) -> None:
    """Check a permission before the transaction that needs it, which has to check it again.

    So a caller without it takes no lock, for which it could wait as long as a resource that exists is being changed.
    may_be_absent: accept a resource that does not exist, and so one that is hidden too.

    Raises: NotFound, Forbidden.
    """
    if caller.is_restricted:
        with engine.read_once() as tx:
            if not may_be_absent or find_permissions(tx, caller, kind, id_):
                require(tx, caller, kind, id_, permission)


def unreadable(tx: Reader, caller: Caller, kind: TagOwner, ids: Iterable[str]) -> list[str]:
    """Those of the ids that belong to no resource which the caller may read, in order; none unless it is restricted."""
    if not caller.is_restricted:
        return []
    wanted = list(ids)
    found = permissions_on(tx, caller, kind, sorted(set(wanted))) if wanted else {}
    return [id_ for id_ in wanted if "read" not in found.get(id_, frozenset())]


@contextmanager
def reading(engine: Engine, caller: Caller) -> Iterator[Reader]:
    """Reads of one resource: of one moment for a restricted caller, whose permission is read as well."""
    with engine.read() if caller.is_restricted else engine.read_once() as tx:
        yield tx


def read_under(engine: Engine, caller: Caller, lock: str, read: Callable[[Reader], T]) -> T:
    """As Engine.read_under; in a transaction for a restricted caller, since permissions are read first."""
    if caller.is_restricted:
        with engine.read() as tx:
            return read(tx)
    return engine.read_under(lock, read)
