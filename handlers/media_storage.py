"""Allocation of media objects."""

from handlers.shared.call import Call, Result


def post_flows_flowid_storage(call: Call) -> Result:
    """201 with the upload requests. A missing body means the same as `{}` (STO-02)."""
    allocation = call.catalog.allocation
    flow_id, body = call.path["flowId"], call.body or {}
    with call.allocating(allocation.count(body)):
        return Result(201, allocation.allocate(call.caller, flow_id, body, call.base_url, call.preconditions))
