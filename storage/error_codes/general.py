"""Codes that any part of the server may need: one for each class of errors, sizes, times, pages and media."""

from storage.error_codes.code import declare

# Defaults.
INVALID = declare(
    "request.invalid",
    "invalid",
    "The request breaks a rule that has no code of its own.",
    "Read `detail`: it names the field, the value and the rule.",
)
FORBIDDEN = declare(
    "request.forbidden",
    "forbidden",
    "The caller must not do this, for a reason that has no code of its own.",
    "Read `detail`, and ask those who grant the rights.",
)
NOT_FOUND = declare("request.not_found", "not_found", "What the request addresses does not exist.", "Check the path.")
CONFLICT = declare(
    "request.conflict",
    "conflict",
    "Another request has just created the same thing.",
    "Read what is there now, then decide whether to repeat the request.",
)
ALREADY_EXISTS = declare(
    "request.already_exists",
    "already_exists",
    "What is to be created exists already and cannot be replaced.",
    "Use another id, or what is there.",
)
ITEM_REPEATED = declare(
    "request.item_repeated",
    "already_exists",
    "Two items of a request have the same id; the first one counts.",
    "Send each item once.",
)
PRECONDITION = declare(
    "request.precondition",
    "precondition_failed",
    "A condition of the request, such as If-Match, is not met; nothing was changed.",
    "Read the resource again, and decide with its new entity tag.",
)
UNAVAILABLE = declare(
    "service.unavailable",
    "unavailable",
    "The catalogue, a store or another server cannot be used now; nothing was changed.",
    "Repeat the request after `Retry-After`. If it goes on, the operator finds the reason in its log.",
    "critical",
)
CONTENDED = declare(
    "service.contended",
    "contended",
    "Other requests are changing the same thing; nothing was changed.",
    "Repeat the request at once.",
    "warning",
)
TOO_EXPENSIVE = declare(
    "query.too_expensive",
    "too_expensive",
    "The query needs more time or memory than one may have.",
    "Ask for less: a shorter time, fewer flows, fewer columns.",
)
NOT_INSTALLED = declare(
    "service.not_installed",
    "not_installed",
    "This server lacks a package that the request needs, or the feature is switched off.",
    "Ask the operator.",
)
QUOTA = declare(
    "quota.stored_bytes",
    "quota_exceeded",
    "The caller has stored as many bytes as it may.",
    "Delete segments or flows that use its objects and wait until these are removed, or ask for a larger quota.",
)
INTERNAL = declare(
    "service.internal",
    "internal",
    "The server failed.",
    "Report it with the `request_id`. Repeating the request may fail again.",
    "critical",
)

# Sizes and text.
TEXT_TOO_LONG = declare(
    "field.too_long", "invalid", "A text has more bytes than can be stored (docs/limits.md).", "Shorten it."
)
TOO_MANY_ITEMS = declare(
    "field.too_many_items",
    "invalid",
    "A list has more items than are permitted (docs/limits.md).",
    "Shorten the list, or send it in several requests.",
)
DOCUMENT_TOO_LARGE = declare(
    "document.too_large",
    "invalid",
    "A document has more bytes than can be stored (docs/limits.md).",
    "Shorten its largest member, which `field` names.",
)
TIMERANGE = declare(
    "timerange.malformed",
    "invalid",
    "A timerange is not written as TAMS has it, or is outside 64 bits.",
    "Write it like `[0:0_10:0)`.",
)
TIMERANGE_UNBOUNDED = declare(
    "timerange.unusable",
    "invalid",
    "A segment needs a timerange with a start and an end after it.",
    "Correct the timerange.",
)
TIMESTAMP = declare(
    "timestamp.malformed",
    "invalid",
    "A timestamp is not written as TAMS has it, or is outside 64 bits.",
    "Write it like `5:0`.",
)
COMPLIANCE_DAY = declare(
    "compliance.day", "invalid", "A day is not written as ISO 8601 has it.", "Write it like `2026-11-29`."
)
PAGE_KEY = declare(
    "page.unknown_key",
    "invalid",
    "The page key is not one of this listing.",
    "Take `page` from the Link header or X-Paging-NextKey as it is, or leave it out.",
)

# Media.
MEDIA_URL_INVALID = declare(
    "media.url_invalid",
    "forbidden",
    "The signature of a media URL is malformed, or was made for another method or path.",
    "Use the URL unchanged, with the method that it was made for.",
)
MEDIA_URL_EXPIRED = declare(
    "media.url_expired",
    "forbidden",
    "The media URL has expired.",
    "Fetch the segment, or allocate the object, again for a new URL.",
)
OBJECT_REPLACED = declare(
    "media.object_replaced",
    "forbidden",
    "The media URL was made for an object that has been removed.",
    "Fetch a new URL.",
)
MEDIA_NOT_FOUND = declare(
    "media.not_found",
    "not_found",
    "There are no bytes at this media URL.",
    "Check the URL; the object may have been deleted.",
)
DAMAGED = declare(
    "media.damaged",
    "unavailable",
    "The stored bytes of an object are damaged.",
    "The operator restores the object from another copy.",
    "critical",
)
NO_SPACE = declare(
    "store.full",
    "unavailable",
    "A disk is full up to its reserve; nothing was changed.",
    "The operator makes space.",
    "critical",
)
