"""Thumbnails: pictures of flows as JPEG."""

from typing import Final

from handlers.shared.call import Call, Encoded, Result
from storage.preconditions import ResourceVersion
from storage.timerange import parse_storable_timestamp

_CACHE_CONTROL: Final = "private, max-age=600"


def get_flows_flowid_thumbnail_jpg(call: Call) -> Result:
    text = call.query.get("at")
    at = None if text is None else parse_storable_timestamp(text, "at")
    picture = call.catalog.thumbnails.picture(call.caller, call.path["flowId"], at, call.query.get("width", 320))
    headers = {"Cache-Control": _CACHE_CONTROL}
    return Result(200, Encoded(picture, "image/jpeg"), headers, version=ResourceVersion())
