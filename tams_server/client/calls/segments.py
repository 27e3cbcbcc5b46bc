"""Segments of flows."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import httpx

from storage.timerange import ETERNITY, TimeRange
from tams_server.client.calls.call import PAGE, Call, Listing, deletion, document, nothing, quoted
from tams_server.client.documents import FailedSegment, Json, Segment


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
    return Listing(f"/flows/{quoted(flow_id)}/segments", params)


def add_segments(flow_id: str, segments: Sequence[Mapping[str, Any]]) -> Call[list[FailedSegment]]:
    """Register segments. The result lists those that the server did not add."""
    path = f"/flows/{quoted(flow_id)}/segments"
    return Call("POST", path, _failures, (200, 201), body=list(segments), has_body=True, repeatable=False)


def delete_segments(flow_id: str, timerange: TimeRange) -> Call[Json | None]:
    """Delete the segments that lie completely inside a timerange.

    The result is the flow delete request if the server continues in the background, None if they are gone.
    """
    params = {"timerange": str(timerange)}
    return Call("DELETE", f"/flows/{quoted(flow_id)}/segments", deletion, (202, 204), params)


def segment_tags(flow_id: str, timerange: str) -> Call[Json]:
    """The tags of the segment with this timerange, on a server that has tags of segments."""
    return Call("GET", f"/flows/{quoted(flow_id)}/segments/{quoted(timerange)}/tags", document)


def set_segment_tag(flow_id: str, timerange: str, name: str, value: str | Sequence[str]) -> Call[None]:
    """Set one tag of the segment with this timerange, on a server that has tags of segments."""
    path = _segment_tag(flow_id, timerange, name)
    return Call("PUT", path, nothing, (200, 204), body=value, has_body=True)


def delete_segment_tag(flow_id: str, timerange: str, name: str) -> Call[None]:
    """Remove one tag of the segment with this timerange, on a server that has tags of segments."""
    return Call("DELETE", _segment_tag(flow_id, timerange, name), nothing, (200, 204))


def _segment_tag(flow_id: str, timerange: str, name: str) -> str:
    return f"/flows/{quoted(flow_id)}/segments/{quoted(timerange)}/tags/{quoted(name)}"


def _failures(response: httpx.Response) -> list[FailedSegment]:
    if response.status_code == 201:
        return []
    return cast(list[FailedSegment], response.json()["failed_segments"])
