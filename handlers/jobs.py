"""Jobs: background work that is waiting, running or has failed for good."""

from handlers.shared.call import Call, Result
from handlers.shared.paging import page_request, page_result
from storage.catalog.job_listing import JobFilter


def get_jobs(call: Call) -> Result:
    filters = JobFilter(call.query.get("kind"), call.query.get("state"))
    return page_result(call, call.catalog.job_listing.page(filters, page_request(call)))
