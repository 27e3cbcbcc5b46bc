"""Permissions on storage backends, whose classes are in the tag `auth_classes` too (AUTHZ-01, -07 to -09)."""

from storage import error_codes
from storage.catalog.access.class_rows import classes_of
from storage.catalog.access_rules import Permission
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.errors import Forbidden
from storage.media.object_store import Backend, ObjectStore


def backend_permissions(caller: Caller, backend: Backend) -> frozenset[Permission]:
    return caller.permissions(classes_of(backend.tags))


def readable_backends(env: Environment, caller: Caller) -> frozenset[str] | None:
    """The ids of the storage backends whose URLs a caller may see; None for all of them."""
    if not caller.is_restricted:
        return None
    return frozenset(id_ for id_, store in env.stores.items() if "read" in backend_permissions(caller, store.backend))


def require_backend(env: Environment, caller: Caller, storage_id: str, behaviour: str) -> ObjectStore:
    """The store of a storage backend to which the caller may write.

    Raises: Invalid, citing `behaviour`, for an unknown id and for one that is hidden; Forbidden.
    """
    store = env.store(storage_id, behaviour)
    if caller.is_restricted:
        found = backend_permissions(caller, store.backend)
        if not found:
            raise env.unknown_backend(storage_id, behaviour)
        if "write" not in found:
            raise Forbidden(
                f"none of your groups grants write on storage backend {storage_id}",
                code=error_codes.RIGHTS,
                field="storage_id",
                behaviour="AUTHZ-08",
            )
    return store
