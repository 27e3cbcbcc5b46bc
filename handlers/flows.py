"""Flows, and their single members."""

from handlers.shared.batch_result import creation_result
from handlers.shared.call import Call, Result
from handlers.shared.deleted import check_filters, not_with_deleted, wants_deleted
from handlers.shared.deletion_result import deletion_result
from handlers.shared.filters import tag_filter, timerange
from handlers.shared.members import Members
from handlers.shared.paging import page_request, page_result
from storage.catalog.flows.flow_filter import FlowFilter
from storage.catalog.flows.metadata_version import flow_version

_members = Members(lambda catalog: catalog.flows, "flowId")
_FILTERS = (
    "source_id",
    "format",
    "codec",
    "profile_id",
    "label",
    "status",
    "frame_width",
    "frame_height",
    "init_segments",
)


def get_flows(call: Call) -> Result:
    query = call.query
    filters = FlowFilter(
        columns={name: query[name] for name in _FILTERS if name in query},
        collected_by_ids=query.get("collected_by_ids"),
        timerange=timerange(call),
        tags=tag_filter(call),
    )
    sort_by = query.get("sort_by", "created")
    if wants_deleted(call):
        check_filters(call)
        return page_result(call, call.catalog.deleted.flow_page(call.caller, filters, sort_by, page_request(call)))
    return page_result(call, call.catalog.flows.page(call.caller, filters, sort_by, page_request(call)))


def post_flows(call: Call) -> Result:
    caller, creation = call.caller, call.catalog.flow_creation
    return creation_result(call, "flows", lambda items: creation.create(caller, items))


def get_flows_flowid(call: Call) -> Result:
    requested = timerange(call)
    if wants_deleted(call):
        flow = call.catalog.deleted.flow(call.caller, call.path["flowId"])
        return Result(200, flow, version=flow_version(flow))
    included = requested if call.query.get("include_timerange") else None
    flow = call.catalog.flows.get(call.caller, call.path["flowId"], included)
    return Result(200, flow, version=flow_version(flow))


def put_flows_flowid(call: Call) -> Result:
    created = call.catalog.flows.put(call.caller, call.path["flowId"], call.body, call.preconditions)
    return Result(204) if created is None else Result(201, created)


def delete_flows_flowid(call: Call) -> Result:
    flow_id = call.path["flowId"]
    cascade = call.query.get("cascade", True)
    if wants_deleted(call):
        if not cascade:
            raise not_with_deleted("cascade", "cascade=false")
        return deletion_result(call, call.catalog.deleted.delete_flow(call.caller, flow_id, call.preconditions))
    return deletion_result(
        call, call.catalog.deletions.delete_flow(call.caller, flow_id, call.preconditions, cascade=cascade)
    )


def post_flows_flowid_restore(call: Call) -> Result:
    call.catalog.deleted.restore_flow(call.caller, call.path["flowId"], call.preconditions)
    return Result(204)


get_flows_flowid_tags = _members.get("tags")
get_flows_flowid_tags_name = _members.get_tag
put_flows_flowid_tags_name = _members.put_tag
delete_flows_flowid_tags_name = _members.delete_tag

get_flows_flowid_description = _members.get("description")
put_flows_flowid_description = _members.put("description")
delete_flows_flowid_description = _members.delete("description")

get_flows_flowid_label = _members.get("label")
put_flows_flowid_label = _members.put("label")
delete_flows_flowid_label = _members.delete("label")

get_flows_flowid_read_only = _members.get("read_only")
put_flows_flowid_read_only = _members.put("read_only")

get_flows_flowid_flow_collection = _members.get("flow_collection")
put_flows_flowid_flow_collection = _members.put("flow_collection")
delete_flows_flowid_flow_collection = _members.delete("flow_collection")

get_flows_flowid_max_bit_rate = _members.get("max_bit_rate")
put_flows_flowid_max_bit_rate = _members.put("max_bit_rate")
delete_flows_flowid_max_bit_rate = _members.delete("max_bit_rate")

get_flows_flowid_avg_bit_rate = _members.get("avg_bit_rate")
put_flows_flowid_avg_bit_rate = _members.put("avg_bit_rate")
delete_flows_flowid_avg_bit_rate = _members.delete("avg_bit_rate")
