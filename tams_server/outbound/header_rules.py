"""Which header a webhook may ask for with each delivery (HOOK-POST-14)."""

import re

from storage.errors import Invalid

LONGEST_NAME = 128
LONGEST_VALUE = 4096  # receivers take some eight thousand bytes of headers in all

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Printable Latin-1 and tabs, and neither space nor tab at the ends (RFC 9110, 5.5).
_VALUE = re.compile(r"(?:[!-~\xa0-\xff](?:[\t -~\xa0-\xff]*[!-~\xa0-\xff])?)?")
_OF_THE_EXCHANGE = frozenset(
    {"host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "http2-settings"}
)


def check_header(name: str, value: str) -> None:
    """Raise Invalid unless `name` (api_key_name) and `value` (api_key_value) make one header of a request, which says
    nothing of its framing, its content or its connection. No message shows the value."""
    if len(name) > LONGEST_NAME or not _TOKEN.fullmatch(name):
        raise _invalid("api_key_name", f"must be the name of a header: 1 to {LONGEST_NAME} letters, digits, -, _ or .")
    lower = name.lower()
    if lower in _OF_THE_EXCHANGE or lower.startswith(("proxy-", "content-")):
        raise _invalid("api_key_name", f"must not be {name}, which belongs to the transfer itself")
    if len(value) > LONGEST_VALUE:
        raise _invalid("api_key_value", f"must not be longer than {LONGEST_VALUE} characters")
    if not is_header_value(value):
        raise _invalid(
            "api_key_value",
            "must be the value of a header: printable Latin-1 characters, no line break or other control character, "
            "and no space at its ends",
        )


def is_header_name(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


def is_header_value(value: str) -> bool:
    return _VALUE.fullmatch(value) is not None


def _invalid(field: str, rule: str) -> Invalid:
    return Invalid(f"{field} {rule}", field=field, behaviour="HOOK-POST-14")
