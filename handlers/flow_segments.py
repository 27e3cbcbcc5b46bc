"""Flow segments."""

from handlers.shared.call import Call, Result
from handlers.shared.deletion_result import deletion_result
from handlers.shared.filters import timerange, url_filter
from handlers.shared.paging import page_request, page_result
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.timerange import parse_timerange


def get_flows_flowid_segments(call: Call) -> Result:
    found = call.catalog.segments.page(
        call.caller,
        call.path["flowId"],
        SegmentFilter(timerange(call), call.query.get("object_id")),
        page_request(call),
        url_filter(call),
        call.base_url,
        include_object_timerange=call.query.get("include_object_timerange", False),
    )
    return page_result(call, found.page, {"X-Paging-Timerange": str(found.timerange)})


def post_flows_flowid_segments(call: Call) -> Result:
    """201 if all segments are registered, 200 with those that are not. One segment alone is an error (SEG-POST-62)."""
    single = isinstance(call.body, dict)
    items = [call.body] if single else call.body
    failed = call.catalog.segments.register(call.caller, call.path["flowId"], items, call.preconditions)
    if not failed:
        return Result(201)
    if single:
        raise failed[0][1]
    segments = call.catalog.segments
    return Result(200, {"failed_segments": [segments.failed_segment(item, error) for item, error in failed]})


def delete_flows_flowid_segments(call: Call) -> Result:
    filters = SegmentFilter(timerange(call, parse_timerange), call.query.get("object_id"))
    request = call.catalog.deletions.delete_segments(call.caller, call.path["flowId"], filters, call.preconditions)
    return deletion_result(call, request)
