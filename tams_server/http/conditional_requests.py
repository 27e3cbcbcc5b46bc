"""The headers of conditional requests and byte ranges (RFC 9110, sections 13 and 14)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime

from starlette.types import Scope

from storage.preconditions import Preconditions, ResourceState

_PRECONDITIONS = frozenset((b"if-match", b"if-none-match", b"if-unmodified-since", b"if-modified-since"))
# Spaces are matched without going back ("*+"), which takes a time that is linear in the length of the header.
_SINGLE_RANGE = re.compile(r"bytes\s*+=\s*+([0-9]{0,30})\s*+-\s*+([0-9]{0,30})\s*+", re.IGNORECASE)


class RangeOutsideContent(Exception):
    """The requested range includes no byte of the content: 416."""


def scope_preconditions(scope: Scope) -> Preconditions | None:
    """Return the preconditions of an ASGI request; None if it has none."""
    fields: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        if raw_name in _PRECONDITIONS:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return read_preconditions(fields) if fields else None


def read_preconditions(headers: Mapping[str, str]) -> Preconditions:
    """Return the preconditions in these headers. headers: by lower-case name. Invalid dates are ignored."""
    return Preconditions(
        if_match=headers.get("if-match"),
        if_none_match=headers.get("if-none-match"),
        if_unmodified_since=_unix_time(headers.get("if-unmodified-since")),
        if_modified_since=_unix_time(headers.get("if-modified-since")),
    )


def http_date(moment: int) -> str:
    """Format Unix time in seconds as an HTTP date."""
    return formatdate(moment, usegmt=True)


def requested_range(headers: Mapping[str, str], current: ResourceState, size: int) -> tuple[int, int] | None:
    """Return the bytes [first, end) that a GET requests, or None for the whole content of `size` bytes.

    Units other than bytes, malformed ranges and multiple ranges are ignored, as the RFC allows.
    Raises RangeOutsideContent.
    """
    match = _SINGLE_RANGE.fullmatch(headers.get("range", "").strip())
    if match is None:
        return None
    if "if-range" in headers and headers["if-range"].strip() not in _validators(current):
        return None
    first, last = match.groups()
    if not first:
        return _suffix_range(last, size)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise RangeOutsideContent
    return int(first), min(int(last) + 1, size) if last else size


def _validators(current: ResourceState) -> list[str]:
    dates = [] if current.modified is None else [http_date(current.modified)]
    return [f'"{current.etag}"', *dates]


def _suffix_range(length: str, size: int) -> tuple[int, int] | None:
    if not length:
        return None
    if int(length) == 0:
        raise RangeOutsideContent
    return (max(size - int(length), 0), size) if size else None


def _unix_time(field: str | None) -> float | None:
    try:
        moment = None if field is None else parsedate_to_datetime(field)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return None if moment is None else _with_timezone(moment).timestamp()


def _with_timezone(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
