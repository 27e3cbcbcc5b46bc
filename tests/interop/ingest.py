"""What the tests of real media have in common: store media in a flow, and read a timerange of it back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.conformance.kit.documents import Json

from .demo.client import Tams
from .demo.timeline import Span, parse_timestamp, timestamp


@dataclass(frozen=True)
class Fetched:
    """A segment as the server lists it, with the bytes of its object and of its init object (empty without one)."""

    segment: Mapping[str, Any]
    media: bytes
    init: bytes

    @property
    def ts_offset(self) -> int:
        """In ns."""
        return parse_timestamp(self.segment.get("ts_offset", "0:0"))


def segment(span: Span | str, object_span: Span | None = None, ts_offset: int = 0, **members: Any) -> Json:
    """A segment to register, without its object."""
    document: Json = {"timerange": str(span), **members}
    if object_span is not None:
        document["object_timerange"] = str(object_span)
    return {**document, "ts_offset": timestamp(ts_offset)} if ts_offset else document


def upload(service: Tams, flow_id: str, media: Sequence[bytes], content_type: str | None = None) -> list[str]:
    """Upload media to new objects of a flow, and return their ids."""
    slots = service.allocate(flow_id, len(media), content_type)
    for slot, each in zip(slots, media, strict=True):
        service.upload(slot, each)
    return [slot.object_id for slot in slots]


def store(service: Tams, flow: Json, media: Sequence[bytes], segments: Sequence[Json]) -> list[str]:
    """Create a flow, upload its media, and register a segment for each. Returns the ids of the objects."""
    service.put_flow(flow)
    ids = upload(service, flow["id"], media)
    service.register(flow["id"], [{"object_id": id_, **each} for id_, each in zip(ids, segments, strict=True)])
    return ids


def fetch(service: Tams, flow_id: str, timerange: Span | str = "_") -> list[Fetched]:
    """The segments of a flow that overlap a timerange, in small pages, with their bytes."""
    listed = [each for page in service.pages(flow_id, str(timerange), 3) for each in page]
    inits: dict[str, bytes] = {}
    for each in listed:
        init = each.get("init_object")
        if init and init["object_id"] not in inits:
            inits[init["object_id"]] = service.download(init)
    return [
        Fetched(each, service.download(each), inits.get(each.get("init_object", {}).get("object_id"), b""))
        for each in listed
    ]
