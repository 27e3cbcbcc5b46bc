"""Codes of HTTP: authentication, paths, parameters, bodies, limits and connections; with those of storage (F10)."""

from storage.error_codes import *  # noqa: F403
from storage.error_codes.code import declare

# Authentication.
AUTH_REQUIRED = declare(
    "auth.required",
    "unauthorized",
    "The request has no credential.",
    "Send a token or a basic credential (docs/access.md).",
)
AUTH_INVALID = declare(
    "auth.invalid",
    "unauthorized",
    "The credential is malformed, unknown, expired or revoked.",
    "Fetch a new token, or ask for a new credential.",
)
AUTH_SCOPE = declare(
    "auth.scope",
    "forbidden",
    "The credential lacks the scope that the operation needs.",
    "Ask for a credential with the scope that `detail` names.",
)
AUTH_TOO_MANY_ATTEMPTS = declare(
    "auth.too_many_attempts",
    "too_many_requests",
    "Too many wrong passwords or secrets have come, or too many are being checked.",
    "Wait as long as `Retry-After` says.",
    "warning",
)

# Path and method.
PATH_NOT_FOUND = declare(
    "path.not_found", "not_found", "This server has no such path.", "Check the path against `GET /openapi.json`."
)
PATH_PARAMETER = declare(
    "path.parameter", "not_found", "A path parameter cannot be the id of anything.", "Check the id."
)
METHOD_NOT_ALLOWED = declare(
    "method.not_allowed",
    "method_not_allowed",
    "The path does not have this method.",
    "Use one of those in the Allow header.",
)

# Query.
QUERY_SCHEMA = declare(
    "query.schema", "invalid", "A query parameter breaks its schema.", "Correct the parameter that `field` names."
)
QUERY_PARAMETER = declare(
    "query.parameter",
    "invalid",
    "A query parameter cannot be read: its type, encoding or number is wrong.",
    "Correct the parameter that `field` names.",
)

# Body.
BODY_SCHEMA = declare(
    "request.schema",
    "invalid",
    "The body breaks its schema at `schema_path`.",
    "Correct the member that `field` names.",
)
BODY_JSON = declare(
    "request.json",
    "invalid",
    "The body is empty, is not JSON, nests too deeply, or has a number outside 64 bits.",
    "Send a JSON document in UTF-8.",
)
BODY_FORM = declare(
    "request.form",
    "invalid",
    "The form of a request is not one of multipart/form-data with the parts that the operation takes.",
    "Read `detail`: it names the part and the rule.",
)
BODY_TOO_LARGE = declare(
    "request.too_large",
    "too_large",
    "The body, or a document in it, is larger than permitted (docs/limits.md).",
    "Send less in one request.",
)
BODY_MEDIA_TYPE = declare(
    "request.media_type",
    "unsupported_media_type",
    "The Content-Type of the body is not supported.",
    "Send the media type that `detail` names.",
)
BODY_CODING = declare(
    "request.content_coding",
    "unsupported_media_type",
    "The Content-Encoding of the body is not supported.",
    "Send one of those in Accept-Encoding.",
)
BODY_CODING_INVALID = declare(
    "request.content_coding_invalid",
    "invalid",
    "The body is not encoded as Content-Encoding says.",
    "Send it without an encoding, or with the right one.",
)

# Limits.
RATE = declare(
    "rate.exceeded",
    "too_many_requests",
    "The caller or the address sends more requests than permitted.",
    "Wait as long as `Retry-After` says.",
    "warning",
)
TOO_MANY_CONNECTIONS = declare(
    "connection.too_many",
    "too_many_connections",
    "The process has no room for another connection.",
    "Wait as long as `Retry-After` says.",
    "warning",
)
TOO_MANY_OF_ADDRESS = declare(
    "connection.too_many_of_address",
    "too_many_requests",
    "Too many connections come from this address.",
    "Close some, and wait as long as `Retry-After` says.",
    "warning",
)
TOO_MANY_BODIES = declare(
    "request.no_memory",
    "too_many_bodies",
    "The bodies of other requests fill the memory that is meant for bodies.",
    "Wait as long as `Retry-After` says.",
    "warning",
)
TOO_SLOW = declare(
    "request.too_slow",
    "too_slow",
    "The head or the body of the request arrived too slowly.",
    "Send it again over a better connection.",
    "warning",
)

# The connection.
MALFORMED = declare("http.malformed", "bad_request", "The request is not valid HTTP.", "Correct the client.")
URI_TOO_LONG = declare(
    "http.uri_too_long", "uri_too_long", "The path and query are too long (docs/limits.md).", "Use a shorter query."
)
HEADERS_TOO_LARGE = declare(
    "http.headers_too_large",
    "headers_too_large",
    "The headers are too large or too many (docs/limits.md).",
    "Send fewer headers.",
)
TRANSFER_CODING = declare(
    "http.transfer_coding",
    "unsupported_transfer_coding",
    "The body has a transfer coding other than chunked.",
    "Send it chunked, or with Content-Length.",
)

# Media.
RANGE = declare(
    "media.range",
    "range_not_satisfiable",
    "The range is outside the object.",
    "Take the size of the object from Content-Range.",
)
UPLOAD_HEADERS = declare(
    "media.upload_headers",
    "invalid",
    "A header of the upload is missing, malformed or not supported.",
    "Send the headers that the allocation names.",
)
UPLOAD_CHECKSUM = declare(
    "media.upload_checksum",
    "invalid",
    "The bytes that arrived are not those that the checksum or the length announced; nothing was stored.",
    "Upload the object again.",
)
