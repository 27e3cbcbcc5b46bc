"""Sources, and their single members."""

from handlers.shared.batch_result import creation_result
from handlers.shared.call import Call, Result
from handlers.shared.deleted import check_filters, wants_deleted
from handlers.shared.deletion_result import deletion_result
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
    if wants_deleted(call):
        check_filters(call)
        return page_result(call, call.catalog.deleted.source_page(call.caller, filters, sort_by, page_request(call)))
    return page_result(call, call.catalog.sources.page(call.caller, filters, sort_by, page_request(call)))


def post_sources(call: Call) -> Result:
    caller, creation = call.caller, call.catalog.source_creation
    return creation_result(call, "sources", lambda items: creation.create(caller, items))


def get_sources_sourceid(call: Call) -> Result:
    find = call.catalog.deleted.source if wants_deleted(call) else call.catalog.sources.get
    source = find(call.caller, call.path["sourceId"])
    return Result(200, source, version=source_version(source))


def delete_sources_sourceid(call: Call) -> Result:
    cascade = call.query.get("cascade", False)
    request = call.catalog.source_deletions.delete(
        call.caller, call.path["sourceId"], call.preconditions, cascade=cascade
    )
    return deletion_result(call, request)


def post_sources_sourceid_restore(call: Call) -> Result:
    call.catalog.deleted.restore_source(call.caller, call.path["sourceId"], call.preconditions)
    return Result(204)


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
