"""Objects and their instances."""

from collections.abc import Sequence

from handlers.shared.batch_result import creation_result
from handlers.shared.call import Call, Result
from handlers.shared.filters import tag_filter, url_filter
from handlers.shared.paging import next_headers, page_request
from storage import error_codes
from storage.catalog.batch import Item, Outcome
from storage.catalog.objects.objects import ObjectQuery
from storage.errors import Invalid, TamsError


def get_objects(call: Call) -> Result:
    query = ObjectQuery(page_request(call), tag_filter(call, "flow_tag"), url_filter(call))
    page = call.catalog.objects.get(call.caller, call.path["objectId"], query, call.base_url)
    return Result(200, page.document, next_headers(call, page.limit, page.next_key), page.version)


def post_objects_batch(call: Call) -> Result:
    batch = call.catalog.object_batch

    def register(items: Sequence[Item]) -> list[Outcome]:
        uploads = batch.uploads(items)
        with call.allocating(len(uploads)) as release:
            outcomes = batch.register(call.caller, items, call.base_url)
            release(sum(isinstance(outcomes[number], TamsError) for number in uploads))
            return outcomes

    return creation_result(call, "objects", register, ("object_id", "flow_id"))


def post_objects_instances(call: Call) -> Result:
    """201 with a copy on another storage backend, or with an uncontrolled URL; not both in one request (A53)."""
    body, objects = call.body, call.catalog.objects
    objects.require(call.caller, call.path["objectId"], "write")
    if "storage_id" in body and ("url" in body or "label" in body):
        raise Invalid(
            "storage_id must not be given together with url or label",
            code=error_codes.INSTANCE_SELECTION,
            field="storage_id",
            behaviour="OBJ-INST-POST-11",
        )
    if "storage_id" in body:
        call.catalog.copies.copy(call.caller, call.path["objectId"], body["storage_id"], call.preconditions)
    else:
        objects.add_uncontrolled(call.caller, call.path["objectId"], body["url"], body["label"], call.preconditions)
    return Result(201)


def delete_objects_instances(call: Call) -> Result:
    storage_id, label = call.query.get("storage_id"), call.query.get("label")
    objects = call.catalog.objects
    objects.remove_instance(call.caller, call.path["objectId"], storage_id, label, call.preconditions)
    return Result(204)
