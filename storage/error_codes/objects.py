"""Codes of the rules about segments, objects, their instances and their deletion."""

from storage.error_codes.code import declare

# Segments.
SEGMENT_OVERLAP = declare(
    "segment.overlap",
    "invalid",
    "The segment overlaps one that the flow has already, or one of the same request.",
    "Use a free timerange, or delete the other segment first.",
)
SEGMENT_OUTSIDE_OBJECT = declare(
    "segment.outside_object",
    "invalid",
    "The segment uses a time that its object does not have.",
    "Correct `timerange`, `ts_offset` or `object_timerange`.",
)
SEGMENT_LAST_DURATION = declare("segment.last_duration", "invalid", "`last_duration` is negative.", "Correct it.")
SEGMENT_TOO_MANY = declare(
    "segment.too_many", "invalid", "The request has more segments than one may have.", "Send several requests."
)
SEGMENT_OBJECT_UNKNOWN = declare(
    "segment.unknown_object",
    "invalid",
    "The segment names an object that is neither allocated nor registered, and has no `get_urls`.",
    "Allocate the object with `POST /flows/{flowId}/storage`, or send `get_urls`.",
)
SEGMENT_OBJECT_TAKEN = declare(
    "segment.object_taken",
    "invalid",
    "The object exists already and cannot be used by this segment.",
    "Use an object that this flow may use.",
)
SEGMENT_OBJECT_DIFFERS = declare(
    "segment.object_differs",
    "invalid",
    "The segment says something about its object that differs from what is registered.",
    "Leave the member out, or send what is registered.",
)
SEGMENT_OBJECT_ROLE = declare(
    "segment.object_role",
    "invalid",
    "An object is a media object or an init object, never both.",
    "Use another object.",
)
SEGMENT_INIT_OBJECT = declare(
    "segment.init_object",
    "invalid",
    "`init_object_id` is needed where the flow has init segments, and only there.",
    "Send it, or leave it out, as the flow requires.",
)
SEGMENT_NOT_UPLOADED = declare(
    "segment.not_uploaded",
    "invalid",
    "The bytes of the object have not arrived.",
    "Upload the object before registering the segment.",
)
SEGMENT_NOT_FOUND = declare(
    "segment.not_found",
    "not_found",
    "The flow has no segment in exactly this timerange.",
    "List the segments of the flow, and use the timerange of one of them.",
)
SEGMENT_TAG_NOT_FOUND = declare(
    "segment.tag_not_found", "not_found", "The segment does not have this tag.", "Check the name; it is case-sensitive."
)
SEGMENT_TOO_MANY_TAGS = declare(
    "segment.too_many_tags",
    "invalid",
    "The tags of the segment have more values than those of one segment may have.",
    "Leave some out, or describe the flow instead of its segments.",
)
DELETE_REQUEST_NOT_FOUND = declare(
    "flow_delete_request.not_found",
    "not_found",
    "There is no such flow delete request; finished ones are forgotten after some days.",
    "Check the id.",
)

# Objects.
OBJECT_NOT_FOUND = declare(
    "object.not_found", "not_found", "There is no such object, or the caller may not see it.", "Check `objectId`."
)
OBJECT_EXISTS = declare(
    "object.exists",
    "invalid",
    "An object has this id already; nothing was allocated.",
    "Use another id, or let the server choose.",
)
OBJECT_ID_REPEATED = declare("object.id_repeated", "invalid", "The same object id is given twice.", "Give each once.")
OBJECT_ID_UNUSABLE = declare(
    "object.id_unusable", "invalid", "The object id cannot be part of a path.", "Use another id."
)
OBJECT_NOT_ALLOCATED = declare(
    "object.not_allocated",
    "not_found",
    "The object was not allocated on this storage backend, or has expired.",
    "Allocate it again.",
)
OBJECT_WRITTEN = declare(
    "object.written",
    "already_exists",
    "The bytes of the object exist already and are in use.",
    "Allocate another object.",
)
OBJECT_WRITTEN_CONFLICT = declare(
    "object.just_written",
    "conflict",
    "Another upload has just stored the bytes of the object.",
    "Nothing, if they are the same bytes.",
)
ALLOCATION = declare(
    "allocation.not_possible",
    "invalid",
    "The allocation asks for something that this service or the flow does not permit.",
    "Read `detail`: it names the member and the rule.",
)
BACKEND_UNKNOWN = declare(
    "storage_backend.unknown",
    "invalid",
    "There is no such storage backend.",
    "Take an id from `GET /service/storage-backends`.",
)
INSTANCE_NOT_FOUND = declare(
    "instance.not_found",
    "not_found",
    "The object has no such instance.",
    "Take the instance from `GET /objects/{objectId}`.",
)
INSTANCE_EXISTS = declare(
    "instance.exists", "invalid", "The object has such an instance already.", "Nothing, if that was the aim."
)
INSTANCE_SELECTION = declare(
    "instance.selection", "invalid", "The parameters select no instance, or two.", "Give `storage_id` or `label`."
)
INSTANCE_LAST = declare(
    "instance.last",
    "invalid",
    "The last instance of an object cannot be deleted.",
    "Delete the segments that use the object instead.",
)
URL_NOT_ACCEPTED = declare(
    "url.not_accepted",
    "invalid",
    "The server does not connect to this URL, or the URL is not well-formed.",
    "Use an absolute http or https URL of a public address, or have the address permitted (`TAMS_WEBHOOK_ALLOW`).",
)
URL_LABEL_TAKEN = declare(
    "url.label_taken", "invalid", "Another instance or a storage backend has this label.", "Use another label."
)
COPY_FAILED = declare(
    "instance.copy_failed",
    "invalid",
    "The bytes could not be copied from where they are.",
    "Read `detail`: it says what the source sent.",
)
