"""The check of the resource that an invalid request addresses, for a more helpful error than "invalid request"."""

from collections.abc import Mapping

from handlers.shared.deleted import check_may_delete
from handlers.shared.parameter_names import parameter_names
from storage.catalog import Catalog
from storage.catalog.access_rules import Permission
from storage.catalog.caller import Caller

_FLOW_MAY_BE_MISSING = ("PUT_flows-flowId", "GET_flows-flowId-segments")
"""Operations that are also valid on a flow that does not exist."""


_DELETING = (
    "DELETE_flows-flowId",
    "DELETE_flows-flowId-segments",
    "DELETE_sources-sourceId",
    "DELETE_webhooks-webhookId",
)
"""Operations that need permission to delete; others that change something need permission to write."""

_RESTORING = ("POST_flows-flowId-restore", "POST_sources-sourceId-restore")
"""Operations on what has been deleted."""


def check_resource(catalog: Catalog, caller: Caller, path: Mapping[str, str], operation_id: str, deleted: bool) -> None:
    """Raises NotFound if the addressed resource does not exist, or Forbidden if the caller must not do this with it.

    path: path parameters by name. operation_id: as in the specification; that of GET for HEAD. deleted: whether the
    request is about a deleted resource (deleted=true).
    """
    if operation_id in _RESTORING:
        return
    with parameter_names(path):
        if deleted:
            check_may_delete(caller)
            if "flowId" in path:
                catalog.deleted.flow(caller, path["flowId"])
            if "sourceId" in path:
                catalog.deleted.source(caller, path["sourceId"])
            return
        changes = not operation_id.startswith("GET_")
        permission: Permission = "read" if not changes else "delete" if operation_id in _DELETING else "write"
        if "sourceId" in path:
            catalog.sources.require(caller, path["sourceId"], permission)
        if "webhookId" in path:
            catalog.webhooks.require(caller, path["webhookId"], permission)
        if "objectId" in path:
            catalog.objects.require(caller, path["objectId"], permission)
        if "flowId" in path:
            writable = changes and operation_id != "PUT_flows-flowId-read-only"
            may_be_absent = operation_id in _FLOW_MAY_BE_MISSING
            catalog.flows.require(caller, path["flowId"], permission, writable=writable, may_be_absent=may_be_absent)
        if "timerange" in path:
            catalog.segment_tags.require(caller, path["flowId"], path["timerange"])
