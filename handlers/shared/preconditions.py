"""What is wrong with the addressed resource is told before what is wrong with the request: 404, 403, then 400 (A33)."""

from handlers.shared.call import Call

_ANY_FLOW = ("PUT_flows-flowId", "GET_flows-flowId-segments")
"""Operations that also make sense on a flow that is not there."""


def addressed(call: Call, operation_id: str) -> None:
    """Called where a request fails validation: raises NotFound or Forbidden where its resource explains it better.

    operation_id: as in the specification; HEAD passes as GET.
    """
    catalog, path = call.catalog, call.path
    changes = not operation_id.startswith("GET_")
    if "sourceId" in path:
        catalog.sources.require(call.caller, path["sourceId"])
    if "webhookId" in path:
        catalog.webhooks.require(call.caller, path["webhookId"])
    if "objectId" in path:
        catalog.objects.require(path["objectId"])
    if "flowId" in path and operation_id in _ANY_FLOW:
        if changes:
            catalog.flows.refuse_read_only(call.caller, path["flowId"])
    elif "flowId" in path:
        writable = changes and operation_id != "PUT_flows-flowId-read-only"
        catalog.flows.require(call.caller, path["flowId"], writable=writable)
