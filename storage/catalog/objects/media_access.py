"""Who may send and fetch the bytes of objects by plain URLs, which carry no permission of their own (AUTH-11)."""

from storage import error_codes
from storage.catalog.access.backends import backend_permissions
from storage.catalog.access.checks import find_permissions
from storage.catalog.access.object_access import may_use_object
from storage.catalog.access_rules import Permission
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.errors import Forbidden
from storage.tables.conditions import equals

_NO_FLOW = ""


class MediaAccess:
    """Decides by the rules for URLs in responses: get_urls for downloads, allocation for uploads."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def permits(self, caller: Caller, object_id: str, storage_id: str, permission: Permission) -> bool:
        """Whether a caller may read or write the bytes of an object on a storage backend.

        To read takes permission to read a flow that uses it and the backend; to write takes permission to write the
        flow for which it was allocated and the backend. False where the object is hidden, or does not exist.

        Raises: Forbidden if the caller has other permissions only.
        """
        if not caller.is_restricted:
            return True
        on_backend = backend_permissions(caller, self._env.stores[storage_id].backend)
        with self._env.engine.read() as tx:
            if permission == "read":
                return may_use_object(tx, caller, object_id, "read") and "read" in on_backend
            row = tx.get("objects", id=object_id)
            flow_id = (row and row["flow_id"]) or _NO_FLOW
            on_flow = find_permissions(tx, caller, "flow", flow_id)
            flow = tx.select("flows", equals(id=flow_id), limit=1, columns=["created"])
            if row is None or not flow or row["created"] < flow[0]["created"]:
                return False  # made for a flow that has gone, whose id another may have
        if not on_flow or not on_backend:
            return False
        if permission not in on_flow & on_backend:
            raise Forbidden(
                f"none of your groups grants {permission} on the flow and the storage backend of object {object_id!r}",
                code=error_codes.RIGHTS,
                field="object_id",
                behaviour="AUTHZ-08",
            )
        return True
