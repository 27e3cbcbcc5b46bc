"""The answer to a deletion: done, or under way as a flow delete request (DEL-01)."""

from typing import Any

from handlers.shared.call import Answer, Call


def deletion_answer(call: Call, request: dict[str, Any] | None) -> Answer:
    """204, or 202 with the request's document and where to watch it (FLOW-DEL-02, AMB-28)."""
    if request is None:
        return Answer(204)
    return Answer(202, request, {"Location": f"{call.base_url}/flow-delete-requests/{request['id']}"})
