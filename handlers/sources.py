"""Sources, and their single members."""

from handlers.shared.call import Call, Result
from handlers.shared.filters import tag_filter
from handlers.shared.members import Members
from handlers.shared.paging import page_request, page_result
from storage.catalog.sources import SourceFilter, source_version

_members = Members(lambda catalog: catalog.sources, "sourceId")


def get_sources(call: Call) -> Result:
    query = call.query
    filters = SourceFilter(
        label=query.get("label"),
        format=query.get("format"),
        collected_by_ids=query.get("collected_by_ids"),
        tags=tag_filter(call),
    )
    sort_by = query.get("sort_by", "created")
    return page_result(call, call.catalog.sources.page(call.caller, filters, sort_by, page_request(call)))


def get_sources_sourceid(call: Call) -> Result:
    source = call.catalog.sources.get(call.caller, call.path["sourceId"])
    return Result(200, source, version=source_version(source))


get_sources_sourceid_tags = _members.get("tags")
get_sources_sourceid_tags_name = _members.get_tag
put_sources_sourceid_tags_name = _members.put_tag
delete_sources_sourceid_tags_name = _members.delete_tag

get_sources_sourceid_description = _members.get("description")
put_sources_sourceid_description = _members.put("description")
delete_sources_sourceid_description = _members.delete("description")

get_sources_sourceid_label = _members.get("label")
put_sources_sourceid_label = _members.put("label")
delete_sources_sourceid_label = _members.delete("label")
