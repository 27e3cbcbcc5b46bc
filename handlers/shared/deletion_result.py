"""The response to a deletion: complete, or in progress as a flow delete request (DEL-01)."""

from typing import Any

from handlers.shared.call import Call, Result
from handlers.shared.resource_url import resource_url


def deletion_result(call: Call, request: dict[str, Any] | None) -> Result:
    """Return 204, or 202 with the flow delete request and its location (FLOW-DEL-02, AMB-28).

    request: the document of the flow delete request, or None if the deletion is complete.
    """
    if request is None:
        return Result(204)
    return Result(202, request, {"Location": resource_url(call, "flow-delete-requests", request["id"])})
