"""The check of the resource that an invalid request addresses, for a more helpful error than "invalid request"."""

from collections.abc import Mapping

from handlers.shared.parameter_names import parameter_names
from storage.catalog import Catalog
from storage.catalog.caller import Caller

_FLOW_MAY_BE_MISSING = ("PUT_flows-flowId", "GET_flows-flowId-segments")
"""Operations that are also valid on a flow that does not exist."""


def check_resource(catalog: Catalog, caller: Caller, path: Mapping[str, str], operation_id: str) -> None:
    """Raises NotFound if the addressed resource does not exist, or Forbidden if it must not be changed.

    path: path parameters by name. operation_id: as in the specification; that of GET for HEAD.
    """
    with parameter_names(path):
        changes = not operation_id.startswith("GET_")
        if "sourceId" in path:
            catalog.sources.require(caller, path["sourceId"])
        if "webhookId" in path:
            catalog.webhooks.require(caller, path["webhookId"])
        if "objectId" in path:
            catalog.objects.require(path["objectId"])
        if "flowId" in path and operation_id in _FLOW_MAY_BE_MISSING:
            if changes:
                catalog.flows.require_not_read_only(caller, path["flowId"])
        elif "flowId" in path:
            writable = changes and operation_id != "PUT_flows-flowId-read-only"
            catalog.flows.require(caller, path["flowId"], writable=writable)
