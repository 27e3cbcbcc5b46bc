"""Registration of single segments, and listings read as timeranges."""

from typing import Any

import httpx

from storage.timerange import TimeRange, parse_timerange
from tests.conformance.kit.client import TamsClient, path_segment
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh_name
from tests.conformance.kit.skips import not_implemented


def post_segment(tams: TamsClient, flow_id: str, object_id: str, timerange: str, **members: Any) -> httpx.Response:
    """Try to register a segment, and return the response whatever its status."""
    return tams.post(f"/flows/{flow_id}/segments", {"object_id": object_id, "timerange": timerange, **members})


def register_segment(tams: TamsClient, flow_id: str, timerange: str = "[0:0_10:0)", /, **members: Any) -> str:
    """Register a segment, with a new object unless `members` has an object_id, and return the object's id."""
    object_id: str = members.pop("object_id", None) or tams.make_objects(flow_id, 1)[0]
    response = post_segment(tams, flow_id, object_id, timerange, **members)
    assert response.status_code == 201, response.text
    return object_id


def register_external(tams: TamsClient, flow_id: str, timerange: str = "[0:0_10:0)") -> Json:
    """Register a segment whose media is at a client's URL. Skips if the server does not accept these (a MAY)."""
    label = fresh_name("external")
    url = {"url": f"https://media.example.com/{label}", "label": label}
    segment = {"object_id": fresh_name("object"), "timerange": timerange, "get_urls": [url]}
    response = tams.post(f"/flows/{flow_id}/segments", segment)
    if response.status_code == 400:
        not_implemented("objects that the server did not allocate")
    assert response.status_code == 201, response.text
    return segment


def timeranges(tams: TamsClient, flow_id: str, **params: Any) -> list[str]:
    """The timeranges of all segments that match, in listing order."""
    return [segment["timerange"] for segment in tams.segments(flow_id, **params)]


def read_object(tams: TamsClient, object_id: str) -> Json:
    """The document of an object that must exist."""
    response = tams.get(f"/objects/{path_segment(object_id)}")
    assert response.status_code == 200, response.text
    document: Json = response.json()
    return document


def object_status(tams: TamsClient, object_id: str) -> int:
    """The status of GET for this object: 200 or 404."""
    return tams.get(f"/objects/{path_segment(object_id)}").status_code


def normalised(text: str) -> TimeRange:
    """A timerange as its instants, so that two spellings of the same range compare equal."""
    return parse_timerange(text)
