"""Registering one segment at a time, and reading listings back as plain timeranges."""

from typing import Any

import httpx

from storage.timerange import TimeRange, parse_timerange
from tests.conformance.kit.client import TamsClient, part
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh_name
from tests.conformance.kit.skips import not_implemented


def post_segment(tams: TamsClient, flow_id: str, object_id: str, timerange: str, **members: Any) -> httpx.Response:
    """Try to register a segment; the answer, whatever it is."""
    return tams.post(f"/flows/{flow_id}/segments", {"object_id": object_id, "timerange": timerange, **members})


def register(tams: TamsClient, flow_id: str, timerange: str = "[0:0_10:0)", /, **members: Any) -> str:
    """Register a segment, with an object of its own unless object_id is among `members`; the object's id."""
    object_id: str = members.pop("object_id", None) or tams.make_objects(flow_id, 1)[0]
    answer = post_segment(tams, flow_id, object_id, timerange, **members)
    assert answer.status_code == 201, answer.text
    return object_id


def register_external(tams: TamsClient, flow_id: str, timerange: str = "[0:0_10:0)") -> Json:
    """Register a segment whose bytes are at a URL of the client's; skips where the server takes none (a MAY)."""
    label = fresh_name("external")
    url = {"url": f"https://media.example.com/{label}", "label": label}
    segment = {"object_id": fresh_name("object"), "timerange": timerange, "get_urls": [url]}
    answer = tams.post(f"/flows/{flow_id}/segments", segment)
    if answer.status_code == 400:
        not_implemented("objects from outside, which the server never allocated")
    assert answer.status_code == 201, answer.text
    return segment


def timeranges(tams: TamsClient, flow_id: str, **params: Any) -> list[str]:
    """The timeranges of all segments that match, in the order of the listing."""
    return [segment["timerange"] for segment in tams.segments(flow_id, **params)]


def object_of(tams: TamsClient, object_id: str) -> Json:
    """The document of an object that must be there."""
    answer = tams.get(f"/objects/{part(object_id)}")
    assert answer.status_code == 200, answer.text
    document: Json = answer.json()
    return document


def object_status(tams: TamsClient, object_id: str) -> int:
    """200 or 404: whether the server shows this object."""
    return tams.get(f"/objects/{part(object_id)}").status_code


def span(text: str) -> TimeRange:
    """A timerange as instants, so that two spellings of one range compare equal."""
    return parse_timerange(text)
