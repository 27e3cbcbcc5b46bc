"""Flow delete requests: deletions that continue in the background."""

from handlers.shared.call import Call, Result
from handlers.shared.paging import page_request, page_result


def get_flow_delete_requests(call: Call) -> Result:
    sort_by = call.query.get("sort_by", "created")
    return page_result(call, call.catalog.flow_delete_requests.page(sort_by, page_request(call)))


def get_flow_delete_requests_request_id(call: Call) -> Result:
    return Result(200, call.catalog.flow_delete_requests.get(call.path["request-id"]))
