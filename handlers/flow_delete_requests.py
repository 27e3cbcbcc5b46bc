"""Flow delete requests: deletions that take longer than a request should."""

from handlers.shared.call import Answer, Call
from handlers.shared.paging import page_answer, page_request


def get_flow_delete_requests(call: Call) -> Answer:
    sort_by = call.query.get("sort_by", "created")
    return page_answer(call, call.catalog.deletions.page(sort_by, page_request(call)))


def get_flow_delete_requests_request_id(call: Call) -> Answer:
    return Answer(200, call.catalog.deletions.get(call.path["request-id"]))
