"""Conditional requests and byte ranges (RFC 9110, sections 13 and 14), decided without reading any content."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from typing import Literal

_ENTITY_TAG = re.compile(r'(W/)?"([^"]*)"')
_SINGLE_RANGE = re.compile(r"bytes\s*=\s*([0-9]{0,30})\s*-\s*([0-9]{0,30})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ResourceState:
    """The current state of a resource. etag: strong, without quotes. modified: seconds since 1970."""

    etag: str
    modified: int

    @property
    def quoted_etag(self) -> str:
        return f'"{self.etag}"'

    @property
    def last_modified(self) -> str:
        return formatdate(self.modified, usegmt=True)


class RangeOutsideContent(Exception):
    """The requested range includes no byte of the content: 416."""


def evaluate_conditions(
    method: str, headers: Mapping[str, str], current: ResourceState | None
) -> Literal[304, 412] | None:
    """Evaluate the conditions of a request. Return the status to respond with, or None to perform the request.

    headers: by lower-case name. current: None if the resource does not exist.
    """
    if "if-match" in headers:
        if current is None or not _matches(headers["if-match"], current.etag, weak=False):
            return 412
    elif current is not None and "if-unmodified-since" in headers:
        limit = _unix_time(headers["if-unmodified-since"])
        if limit is not None and current.modified > limit:
            return 412
    if current is None:
        return None
    reads = method in ("GET", "HEAD")
    if "if-none-match" in headers:
        if _matches(headers["if-none-match"], current.etag, weak=True):
            return 304 if reads else 412
    elif reads and "if-modified-since" in headers:
        limit = _unix_time(headers["if-modified-since"])
        if limit is not None and current.modified <= limit:
            return 304
    return None


def requested_range(headers: Mapping[str, str], current: ResourceState, size: int) -> tuple[int, int] | None:
    """Return the bytes [first, end) that a GET requests, or None for the whole content of `size` bytes.

    Units other than bytes, malformed ranges and multiple ranges are ignored, as the RFC allows.
    Raises RangeOutsideContent.
    """
    match = _SINGLE_RANGE.fullmatch(headers.get("range", "").strip())
    if match is None:
        return None
    if "if-range" in headers and headers["if-range"].strip() not in (current.quoted_etag, current.last_modified):
        return None
    first, last = match.groups()
    if not first:
        return _suffix_range(last, size)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise RangeOutsideContent
    return int(first), min(int(last) + 1, size) if last else size


def _suffix_range(length: str, size: int) -> tuple[int, int] | None:
    if not length:
        return None
    if int(length) == 0:
        raise RangeOutsideContent
    return (max(size - int(length), 0), size) if size else None


def _matches(field: str, etag: str, *, weak: bool) -> bool:
    """Whether an If-Match or If-None-Match field lists `etag`. weak: use weak comparison."""
    if field.strip() == "*":
        return True
    return any(tag == etag and (weak or not mark) for mark, tag in _ENTITY_TAG.findall(field))


def _unix_time(field: str) -> float | None:
    try:
        moment = parsedate_to_datetime(field)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return _with_timezone(moment).timestamp()


def _with_timezone(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
