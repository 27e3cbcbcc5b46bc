"""Codes of deletions that are not carried out because something depends on what is to go, and of restorations."""

from storage.error_codes.code import declare

FLOW_IN_USE = declare(
    "flow.in_use",
    "in_use",
    "The flow is to be deleted only if nothing depends on it, but something does; nothing was changed.",
    "Delete what `dependents` names first, or leave out `cascade=false`.",
)
SEGMENTS_IN_USE = declare(
    "segments.in_use",
    "in_use",
    "Segments are to be deleted only if no other flow uses their objects, but one does; nothing was changed.",
    "Delete the segments that `dependents` names first, or leave out `cascade=false`.",
)
SOURCE_IN_USE = declare(
    "source.in_use",
    "in_use",
    "The source still has flows; nothing was changed.",
    "Delete the flows that `dependents` names first, or repeat the request with `cascade=true`.",
)
SEGMENTS_TOO_MANY_TO_CHECK = declare(
    "segments.too_many_to_check",
    "invalid",
    "More segments are to be deleted than one request can check for uses by other flows.",
    "Delete them in shorter timeranges, or leave out `cascade=false`.",
)
FLOW_RESTORABLE = declare(
    "flow.restorable",
    "already_exists",
    "A flow with this id has been deleted, but can still be restored.",
    "Restore it (`POST /flows/{flowId}/restore`), or delete it for good (`DELETE /flows/{flowId}?deleted=true`).",
)
FLOW_NOT_RESTORABLE = declare(
    "flow.not_restorable",
    "already_exists",
    "The deleted flow does not fit the flows or the source that have been made since.",
    "Change or delete what `detail` names, then restore the flow.",
)
RESTORATION_UNFINISHED = declare(
    "source.restoration_unfinished",
    "unavailable",
    "The source has more deleted flows than one request restores; some of them have been restored.",
    "Repeat the request after `Retry-After`, until it is answered with 204.",
)
DELETED_NOT_FOUND = declare(
    "deleted.not_found",
    "not_found",
    "There is no such deleted flow or source, its grace period has ended, or the caller may not see it.",
    "List what can be restored: `GET /flows?deleted=true` or `GET /sources?deleted=true`.",
)
DELETED_PARAMETER = declare(
    "deleted.parameter",
    "invalid",
    "The parameter has no meaning for deleted resources, and cannot be given with `deleted=true`.",
    "Leave it out.",
)
DELETED_NOT_PERMITTED = declare(
    "deleted.not_permitted",
    "forbidden",
    "Only callers that may delete see what has been deleted.",
    "Use a credential with the scope `tams-api/delete`.",
)
