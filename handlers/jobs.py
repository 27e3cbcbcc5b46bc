"""Jobs: background work that is waiting, running or has failed for good."""

from handlers.shared.call import Call, Result
from handlers.shared.paging import page_request, page_result
from storage.catalog.job_listing import JobFilter
from storage.change_notes import note


def get_jobs(call: Call) -> Result:
    filters = JobFilter(call.query.get("kind"), call.query.get("state"))
    return page_result(call, call.catalog.job_listing.page(filters, page_request(call)))


def post_jobs_retry(call: Call) -> Result:
    """204. The job is noted for the audit log, since the path does not name it."""
    kind, key = call.body["kind"], call.body["key"]
    call.catalog.job_control.retry(kind, key)
    note("job", f"{kind} {key}")
    return Result(204)
