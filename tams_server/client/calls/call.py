"""A call and a listing as values, and what the operations have in common. Nothing here does I/O."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

import httpx

from tams_server.client.documents import Json
from tams_server.client.errors import ClientError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
PAGE = 1000
"""Items asked for in a page. Servers lower it as they like."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request and its result. path: below the base URL, percent-encoded. expected: statuses of success.

    repeatable: whether the request may be sent again when it is not known what became of it.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    expected: tuple[int, ...] = (200,)
    params: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    has_body: bool = False
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Listing(Generic[T_co]):
    """A GET whose items come in pages. path, params: of the first page."""

    path: str
    params: Mapping[str, str] = field(default_factory=dict)


def put(path: str, value: Any) -> Call[None]:
    """Set something to a value."""
    return Call("PUT", path, nothing, (200, 201, 204), body=value, has_body=True)


def remove(path: str) -> Call[None]:
    """Remove something. A 404 means that there was none."""
    return Call("DELETE", path, nothing, (200, 204, 404))


def quoted(text: str) -> str:
    """One part of a path, whatever is in it. Raises ClientError for what no path can hold.

    Clients and proxies take . and .. out of a path (RFC 3986, 5.2.4), so that the request would go to another resource.
    """
    if text in ("", ".", ".."):
        raise ClientError(f"{text!r} can be no id and no name in a URL")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError as error:
        raise ClientError(f"{text!r} is not Unicode") from error


def nothing(_: httpx.Response) -> None:
    """The result of a response without a body."""
    return


def json_of(response: httpx.Response) -> Any:
    """The body, of the type that the call states."""
    return response.json()


def document(response: httpx.Response) -> Json:
    """The body, a JSON object."""
    return cast(Json, response.json())


def deletion(response: httpx.Response) -> Json | None:
    """The flow delete request that a server continues with after a 202, at least its `id`; None if all is done."""
    if response.status_code != 202:
        return None
    try:
        found = response.json()
    except ValueError:
        found = None
    if isinstance(found, dict) and "id" in found:
        return cast(Json, found)
    place = response.headers.get("location", "").rstrip("/").rpartition("/")[2]
    return {"id": place} if place else None
