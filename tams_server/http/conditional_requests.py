"""What a conditional or a ranged request comes to (RFC 9110, sections 13 and 14), without reading any bytes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from typing import Literal

_ENTITY_TAG = re.compile(r'(W/)?"([^"]*)"')
_ONE_RANGE = re.compile(r"bytes\s*=\s*([0-9]{0,30})\s*-\s*([0-9]{0,30})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one state of a resource from another. etag: strong, without quotes; modified: Unix seconds."""

    etag: str
    modified: int

    @property
    def quoted_etag(self) -> str:
        return f'"{self.etag}"'

    @property
    def last_modified(self) -> str:
        return formatdate(self.modified, usegmt=True)


class Unsatisfiable(Exception):
    """None of the bytes asked for are there: 416."""


def refused_by_condition(
    method: str, headers: Mapping[str, str], current: Validators | None
) -> Literal[304, 412] | None:
    """The status that the conditions of a request lead to, or None where it is to be carried out.

    headers: by lower-case name. current: None where there is no such resource yet.
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
    reading = method in ("GET", "HEAD")
    if "if-none-match" in headers:
        if _matches(headers["if-none-match"], current.etag, weak=True):
            return 304 if reading else 412
    elif reading and "if-modified-since" in headers:
        limit = _unix_time(headers["if-modified-since"])
        if limit is not None and current.modified <= limit:
            return 304
    return None


def requested_range(headers: Mapping[str, str], current: Validators, size: int) -> tuple[int, int] | None:
    """The bytes [first, end) that a GET asks for, or None for all of them.

    Other units than bytes, ranges that cannot be read and several ranges at once are answered with the whole, as the
    RFC allows. Raises Unsatisfiable.
    """
    match = _ONE_RANGE.fullmatch(headers.get("range", "").strip())
    if match is None:
        return None
    if "if-range" in headers and headers["if-range"].strip() not in (current.quoted_etag, current.last_modified):
        return None
    first, last = match.groups()
    if not first:
        return _suffix(last, size)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise Unsatisfiable
    return int(first), min(int(last) + 1, size) if last else size


def _suffix(length: str, size: int) -> tuple[int, int] | None:
    if not length:
        return None
    if int(length) == 0:
        raise Unsatisfiable
    return (max(size - int(length), 0), size) if size else None


def _matches(field: str, etag: str, *, weak: bool) -> bool:
    if field.strip() == "*":
        return True
    return any(tag == etag and (weak or not mark) for mark, tag in _ENTITY_TAG.findall(field))


def _unix_time(field: str) -> float | None:
    try:
        moment = parsedate_to_datetime(field)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return _aware(moment).timestamp()


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
