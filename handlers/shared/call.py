"""The input and the output of a handler: a validated call, and its result."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from storage.catalog import Catalog
from storage.catalog.caller import Caller
from storage.catalog.segments.segment_uploads import ReceivedSegment
from storage.preconditions import Preconditions, ResourceVersion


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = _Absent()
"""No body, which differs from the JSON value null."""


Release = Callable[[int], None]
"""Releases objects that were to be allocated, but have not been, so that they do not count."""


def not_counted(_objects: int) -> None:
    """Release objects that nobody counts."""


def unlimited(_objects: int) -> AbstractContextManager[Release]:
    """Permit any number of allocations."""
    return nullcontext(not_counted)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that has passed authentication, scope checks and validation.

    path: path parameters by name, percent-decoded.
    query: the parameters given, by name, as int, bool, str or, if comma-separated, list[str]. A parameter given empty
        is "" or []. Parameters with a templated name are collected in one dict under their prefix:
        {"tag": {"genre": ["news"]}, "tag_exists": {"shot": True}}.
    body: the parsed JSON document, or ABSENT.
    upload: a segment whose bytes came with the request in place of a JSON document, and are stored.
    base_url: public origin and base path of this server, without a trailing slash.
    target: path and query string as the client sent them, below the base path and without an access token.
    api_version: version of the specification in force. software_version: version of this server.
    preconditions: of a request that has any, else None.
    accept: the media types that the client accepts, as in its Accept header; "" for any.
    longest_page: the most items of a page; None for as many as the client and the service permit.
    allocating: returns the context in which to allocate a number of objects, so that they count towards the quota of
        the caller. To enter it raises an error if there is no more.
    """

    catalog: Catalog
    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any
    base_url: str
    target: str
    api_version: str
    software_version: str
    preconditions: Preconditions | None = None
    accept: str = ""
    longest_page: int | None = None
    allocating: Callable[[int], AbstractContextManager[Release]] = unlimited
    upload: ReceivedSegment | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """A body that is encoded already. media_type: one that the specification documents for the response.

    digest: of the content, as `storage.preconditions.digest` returns it; None if it has not been computed.
    """

    content: bytes
    media_type: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The response to a call. body: a JSON document, Encoded, or ABSENT. headers: besides Content-Type and
    Content-Length.

    version: of the resource that a read returns; the response then has an entity tag, and the preconditions of the
    request are checked. None for changes, and for listings, which have no entity tags.
    """

    status: int
    body: Any = ABSENT
    headers: dict[str, str] = field(default_factory=dict)
    version: ResourceVersion | None = None


Handler = Callable[[Call], Result]
