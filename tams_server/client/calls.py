"""The operations of TAMS as values: what to request, and how to read the response. Nothing here does I/O."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

import httpx

from storage.timerange import ETERNITY, TimeRange
from tams_server.client.documents import FailedSegment, Flow, Json, MediaObject, Segment, Slot, Source

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


def service() -> Call[Json]:
    """What the service is and promises (service.json)."""
    return Call("GET", "/service", _document)


def storage_backends() -> Listing[Json]:
    return Listing("/service/storage-backends")


def profile(profile_id: str) -> Call[Json]:
    return Call("GET", f"/service/profiles/{_quoted(profile_id)}", _document)


def create_profile(document: Json) -> Call[None]:
    path = f"/service/profiles/{_quoted(document['id'])}"
    return Call("POST", path, _nothing, (200, 201, 204), body=document, has_body=True, repeatable=False)


def webhooks() -> Listing[Json]:
    return Listing("/service/webhooks")


def create_webhook(document: Json) -> Call[Json]:
    return Call("POST", "/service/webhooks", _document, (201,), body=document, has_body=True, repeatable=False)


def delete_webhook(webhook_id: str) -> Call[None]:
    return Call("DELETE", f"/service/webhooks/{_quoted(webhook_id)}", _nothing, (204,))


def source(source_id: str) -> Call[Source]:
    return Call("GET", f"/sources/{_quoted(source_id)}", _source)


def put_source_member(source_id: str, name: str, value: str) -> Call[None]:
    """Set the label or description of a source."""
    return Call("PUT", f"/sources/{_quoted(source_id)}/{name}", _nothing, (204,), body=value, has_body=True)


def delete_source_member(source_id: str, name: str) -> Call[None]:
    """Remove the label or description of a source. A 404 means that there was none."""
    return Call("DELETE", f"/sources/{_quoted(source_id)}/{name}", _nothing, (204, 404))


def put_source_tag(source_id: str, name: str, value: Any) -> Call[None]:
    """Set one tag of a source, to a text or a list of texts."""
    path = f"/sources/{_quoted(source_id)}/tags/{_quoted(name)}"
    return Call("PUT", path, _nothing, (204,), body=value, has_body=True)


def delete_source_tag(source_id: str, name: str) -> Call[None]:
    """Remove one tag of a source. A 404 means that there was none."""
    return Call("DELETE", f"/sources/{_quoted(source_id)}/tags/{_quoted(name)}", _nothing, (204, 404))


def flows(**filters: str) -> Listing[Flow]:
    """The flows that pass the filters, such as source_id."""
    return Listing("/flows", {"limit": str(PAGE), **filters})


def flow(flow_id: str) -> Call[Flow]:
    return Call("GET", f"/flows/{_quoted(flow_id)}", _document)


def put_flow(document: Flow) -> Call[None]:
    """Create a flow, or replace its metadata."""
    path = f"/flows/{_quoted(document['id'])}"
    return Call("PUT", path, _nothing, (201, 204), body=document, has_body=True)


def put_read_only(flow_id: str, read_only: bool) -> Call[None]:
    path = f"/flows/{_quoted(flow_id)}/read_only"
    return Call("PUT", path, _nothing, (204,), body=read_only, has_body=True)


def delete_flow(flow_id: str) -> Call[None]:
    """Delete a flow and its segments. A 404 means that there was none; after a 202, the server continues."""
    return Call("DELETE", f"/flows/{_quoted(flow_id)}", _nothing, (202, 204, 404))


def segments(
    flow_id: str, timerange: TimeRange = ETERNITY, *, with_urls: bool = True, limit: int = PAGE, **filters: str
) -> Listing[Segment]:
    """The segments of a flow that overlap a timerange, in the order of time.

    with_urls: False leaves the get_urls out, which costs the server less. filters: such as object_id.
    """
    params = {"limit": str(limit), **filters}
    if timerange != ETERNITY:
        params["timerange"] = str(timerange)
    if not with_urls:
        params["accept_get_urls"] = ""
    return Listing(f"/flows/{_quoted(flow_id)}/segments", params)


def add_segments(flow_id: str, documents: Sequence[Mapping[str, Any]]) -> Call[list[FailedSegment]]:
    """Register segments. The result lists those that the server did not add."""
    path = f"/flows/{_quoted(flow_id)}/segments"
    return Call("POST", path, _failures, (200, 201), body=list(documents), has_body=True, repeatable=False)


def delete_segments(flow_id: str, timerange: TimeRange) -> Call[None]:
    """Delete the segments that lie completely inside a timerange. After a 202, the server continues."""
    params = {"timerange": str(timerange)}
    return Call("DELETE", f"/flows/{_quoted(flow_id)}/segments", _nothing, (202, 204), params)


def set_segment_tag(flow_id: str, timerange: str, name: str, value: str | Sequence[str]) -> Call[None]:
    """Set one tag of the segment with this timerange, on a server that has tags of segments."""
    path = _segment_tag(flow_id, timerange, name)
    return Call("PUT", path, _nothing, (200, 204), body=value, has_body=True)


def delete_segment_tag(flow_id: str, timerange: str, name: str) -> Call[None]:
    """Remove one tag of the segment with this timerange, on a server that has tags of segments."""
    return Call("DELETE", _segment_tag(flow_id, timerange, name), _nothing, (200, 204))


def _segment_tag(flow_id: str, timerange: str, name: str) -> str:
    return f"/flows/{_quoted(flow_id)}/segments/{_quoted(timerange)}/tags/{_quoted(name)}"


def allocate(
    flow_id: str, object_ids: Sequence[str], *, content_type: str | None = None, storage_id: str | None = None
) -> Call[list[Slot]]:
    """Allocate objects with these ids. content_type: only for init objects whose type is not the flow's container."""
    body: Json = {"object_ids": list(object_ids)}
    if content_type is not None:
        body["content_type"] = content_type
    if storage_id is not None:
        body["storage_id"] = storage_id
    path = f"/flows/{_quoted(flow_id)}/storage"
    return Call("POST", path, _slots, (201,), body=body, has_body=True, repeatable=False)


def media_object(object_id: str, *, with_urls: bool = True) -> Call[MediaObject]:
    """An object, with the storage backend of each of its URLs."""
    params = {"verbose_storage": "true"} if with_urls else {"accept_get_urls": ""}
    return Call("GET", f"/objects/{_quoted(object_id)}", _media_object, params=params)


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _nothing(response: httpx.Response) -> None:
    return None


def _document(response: httpx.Response) -> Json:
    return cast(Json, response.json())


def _source(response: httpx.Response) -> Source:
    return cast(Source, response.json())


def _media_object(response: httpx.Response) -> MediaObject:
    return cast(MediaObject, response.json())


def _slots(response: httpx.Response) -> list[Slot]:
    return cast(list[Slot], response.json().get("media_objects", []))


def _failures(response: httpx.Response) -> list[FailedSegment]:
    if response.status_code == 201:
        return []
    return cast(list[FailedSegment], response.json()["failed_segments"])
