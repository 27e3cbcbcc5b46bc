"""Objects and their instances."""

from handlers.shared.call import Call, Result
from handlers.shared.filters import tag_filter, url_filter
from handlers.shared.paging import next_headers, page_request
from storage.catalog.objects.objects import ObjectQuery
from storage.errors import Invalid


def get_objects(call: Call) -> Result:
    query = ObjectQuery(page_request(call), tag_filter(call, "flow_tag"), url_filter(call))
    page = call.catalog.objects.get(call.caller, call.path["objectId"], query, call.base_url)
    return Result(200, page.document, next_headers(call, page.limit, page.next_key), page.version)


def post_objects_instances(call: Call) -> Result:
    """201 with a copy on another storage backend, or with an uncontrolled URL; not both in one request (A53)."""
    body, objects = call.body, call.catalog.objects
    objects.require(call.path["objectId"])
    if "storage_id" in body and ("url" in body or "label" in body):
        raise Invalid(
            "storage_id must not be given together with url or label",
            field="storage_id",
            behaviour="OBJ-INST-POST-11",
        )
    if "storage_id" in body:
        call.catalog.copies.copy(call.path["objectId"], body["storage_id"], call.preconditions)
    else:
        objects.add_uncontrolled(call.path["objectId"], body["url"], body["label"], call.preconditions)
    return Result(201)


def delete_objects_instances(call: Call) -> Result:
    storage_id, label = call.query.get("storage_id"), call.query.get("label")
    call.catalog.objects.remove_instance(call.path["objectId"], storage_id, label, call.preconditions)
    return Result(204)
