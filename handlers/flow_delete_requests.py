"""Flow delete requests: deletions that continue in the background."""

from handlers.shared.call import Call, Result
from handlers.shared.paging import page_or_start, page_result
from storage.preconditions import ResourceVersion


def get_flow_delete_requests(call: Call) -> Result:
    sort_by = call.query.get("sort_by", "created")
    requests = call.catalog.flow_delete_requests
    return page_result(call, page_or_start(call, lambda request: requests.page(sort_by, request)))


def get_flow_delete_requests_request_id(call: Call) -> Result:
    request = call.catalog.flow_delete_requests.get(call.caller, call.path["request-id"])
    return Result(200, request, version=ResourceVersion())
