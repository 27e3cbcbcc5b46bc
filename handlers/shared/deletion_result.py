"""The answer to a deletion: done, or under way as a flow delete request (DEL-01)."""

from typing import Any

from handlers.shared.call import Call, Result


def deletion_result(call: Call, request: dict[str, Any] | None) -> Result:
    """204, or 202 with the request's document and where to watch it (FLOW-DEL-02, AMB-28)."""
    if request is None:
        return Result(204)
    return Result(202, request, {"Location": f"{call.base_url}/flow-delete-requests/{request['id']}"})
