"""What the application hands to a handler, and what it gets back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from storage.catalog import Catalog
from storage.catalog.caller import Caller


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = _Absent()
"""No body at all, which differs from the JSON value null."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed authentication and validation.

    path: path parameters by name, percent-decoded.
    query: parameters that were given, by name, as int, bool, str or (comma-separated ones) list[str]; a parameter that
        was not given is not in it, and one that was given empty is "" or []. Those with a templated name come as one
        dict under their prefix: {"tag": {"genre": ["news"]}, "tag_exists": {"shot": True}}.
    body: the parsed JSON document, or ABSENT.
    base_url: public origin and base path of this server, without a closing slash.
    target: the path with its query string as the client sent it, from the first slash on, for links to other pages.
    """

    catalog: Catalog
    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any
    base_url: str
    target: str


@dataclass(frozen=True, slots=True)
class Result:
    """status, a JSON document (ABSENT: no body) and headers besides Content-Type and Content-Length."""

    status: int
    body: Any = ABSENT
    headers: dict[str, str] = field(default_factory=dict)
