"""Flow segments."""

from handlers.shared.call import Call, Result
from handlers.shared.deletion_result import deletion_result
from handlers.shared.filters import tag_filter, timerange, url_filter
from handlers.shared.paging import page_request, page_result
from handlers.shared.resource_url import resource_url
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.preconditions import ResourceVersion
from storage.timerange import parse_timerange


def get_flows_flowid_segments(call: Call) -> Result:
    found = call.catalog.segments.page(
        call.caller,
        call.path["flowId"],
        SegmentFilter(timerange(call), call.query.get("object_id"), tag_filter(call)),
        page_request(call),
        url_filter(call),
        call.base_url,
        include_object_timerange=call.query.get("include_object_timerange", False),
    )
    return page_result(call, found.page, {"X-Paging-Timerange": str(found.timerange)})


def post_flows_flowid_segments(call: Call) -> Result:
    """201 if all segments are registered, 200 with those that are not. One segment alone is an error (SEG-POST-62).

    F7: a segment whose bytes came with it is registered with them; the location of its object says what its id is.
    """
    if call.upload is not None:
        object_id = call.catalog.segment_uploads.register(call.upload)
        return Result(201, headers={"Location": resource_url(call, "objects", object_id)})
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
    cascade = call.query.get("cascade", True)
    request = call.catalog.deletions.delete_segments(
        call.caller, call.path["flowId"], filters, call.preconditions, cascade=cascade
    )
    return deletion_result(call, request)


def get_flows_flowid_segments_timerange_tags(call: Call) -> Result:
    tags = call.catalog.segment_tags.all(call.caller, call.path["flowId"], call.path["timerange"])
    return Result(200, tags, version=ResourceVersion())


def get_flows_flowid_segments_timerange_tags_name(call: Call) -> Result:
    path = call.path
    tag = call.catalog.segment_tags.get(call.caller, path["flowId"], path["timerange"], path["name"])
    return Result(200, tag, version=ResourceVersion())


def put_flows_flowid_segments_timerange_tags_name(call: Call) -> Result:
    path, tags = call.path, call.catalog.segment_tags
    tags.set(call.caller, path["flowId"], path["timerange"], path["name"], call.body, call.preconditions)
    return Result(204)


def delete_flows_flowid_segments_timerange_tags_name(call: Call) -> Result:
    path, tags = call.path, call.catalog.segment_tags
    tags.delete(call.caller, path["flowId"], path["timerange"], path["name"], call.preconditions)
    return Result(204)
