"""Rules for the header that a webhook adds to its deliveries (HOOK-POST-14)."""

import re

from storage import error_codes
from storage.errors import Invalid

MAX_NAME_CHARS = 128
MAX_VALUE_CHARS = 4096  # receivers typically accept 8 KiB of headers in total

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Printable Latin-1 and tabs, without leading or trailing whitespace (RFC 9110, 5.5).
_VALUE = re.compile(r"(?:[!-~\xa0-\xff](?:[\t -~\xa0-\xff]*[!-~\xa0-\xff])?)?")
DELIVERY_ID = "TAMS-Delivery-Id"
"""The header whose value is the same for all attempts of one delivery (AMB-41)."""
_SET_BY_SERVER = frozenset(
    (
        *("host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"),
        *("http2-settings", "via", "max-forwards", "forwarded"),
        *("x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-originating-ip", "true-client-ip", "cf-connecting-ip"),
        *("x-host", "x-original-host", "x-original-url", "x-rewrite-url"),
        *("user-agent", "accept", "accept-encoding", DELIVERY_ID.lower()),
        *("x-http-method", "x-http-method-override", "x-method-override"),
    )
)
_SET_BY_SERVER_PREFIXES = ("proxy-", "content-", "x-forwarded")


def check_header(name: str, value: str) -> None:
    """Raise Invalid unless `name` (api_key_name) and `value` (api_key_value) form a valid request header.

    It must not affect the framing, content or connection of the request. No message shows the value.
    """
    if len(name) > MAX_NAME_CHARS or not _TOKEN.fullmatch(name):
        raise _invalid(
            "api_key_name",
            f"must be a valid header name of 1 to {MAX_NAME_CHARS} characters: letters, digits, -, _ or .",
        )
    if is_set_by_server(name):
        raise _invalid("api_key_name", f"must not be {name}, which the server sets itself")
    if len(value) > MAX_VALUE_CHARS:
        raise _invalid("api_key_value", f"must have at most {MAX_VALUE_CHARS} characters")
    if not is_header_value(value):
        raise _invalid(
            "api_key_value",
            "must be a valid header value: printable Latin-1 characters, without line breaks or other control "
            "characters, and without leading or trailing spaces",
        )


def is_set_by_server(name: str) -> bool:
    """Return whether a header is the server's own, or would change who sends the request or what it asks for.

    Many receivers do not tell "_" from "-" in names, so a header that differs only in these is the same.
    """
    plain = name.lower().replace("_", "-")
    return plain in _SET_BY_SERVER or plain.startswith(_SET_BY_SERVER_PREFIXES)


def is_header_name(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


def is_header_value(value: str) -> bool:
    return _VALUE.fullmatch(value) is not None


def _invalid(field: str, rule: str) -> Invalid:
    return Invalid(f"{field} {rule}", code=error_codes.WEBHOOK_HEADER, field=field, behaviour="HOOK-POST-14")
