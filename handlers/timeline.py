"""Timeline: summaries of flows' timelines, for pictures of them."""

from typing import Any
from urllib.parse import urlencode

from handlers.shared.call import Call, Result
from handlers.shared.filters import timerange
from handlers.shared.resource_url import resource_url
from storage.catalog.clock import rfc3339
from storage.catalog.timeline.buckets import Bucket
from storage.catalog.timeline.timeline import DEFAULT_BUCKETS, Summary, TimelineRequest
from storage.timerange import format_timestamp


def get_flows_flowid_timeline(call: Call) -> Result:
    query = call.query
    request = TimelineRequest(timerange(call), query.get("buckets", DEFAULT_BUCKETS), query.get("level"))
    found = call.catalog.timelines.summary(call.caller, call.path["flowId"], request)
    return Result(200, _document(found), _links(call, found))


def _links(call: Call, found: Summary) -> dict[str, str]:
    """The link to the next part, with buckets of the same length."""
    if found.rest.is_empty:
        return {}
    query = urlencode({"timerange": str(found.rest), "level": found.level})
    return {"Link": f'<{resource_url(call, "flows", call.path["flowId"])}/timeline?{query}>; rel="next"'}


def _document(found: Summary) -> dict[str, Any]:
    document: dict[str, Any] = {
        "timerange": str(found.timerange),
        "content": str(found.content),
        "level": found.level,
        "bucket_duration": 1 << found.level,
        "buckets": [_bucket(found, bucket) for bucket in found.buckets],
    }
    if found.updated is not None:
        document["segments_updated"] = rfc3339(found.updated)
    return document


def _bucket(found: Summary, bucket: Bucket) -> dict[str, Any]:
    document: dict[str, Any] = {
        "start": format_timestamp(bucket.number << found.level),
        "segments": bucket.segments,
        "covered": bucket.covered,
        "gap": found.has_gap(bucket),
    }
    if bucket.sampled:
        document |= {"sampled": bucket.sampled, "reused": bucket.reused, "partial": bucket.partial}
        if bucket.key_frames is not None:
            document["key_frames"] = bucket.key_frames
    return document
