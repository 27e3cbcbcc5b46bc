"""Parts of an event that fit the size which a receiver accepts."""

from dataclasses import dataclass
from typing import Any

import orjson

from storage.nul import unescape_json


@dataclass(frozen=True, slots=True)
class EventPart:
    """The body of one delivery. segments: how many segments it contains. is_rest: whether it is all that was given."""

    body: bytes
    segments: int
    is_rest: bool


def first_part(message: dict[str, Any], max_bytes: int) -> EventPart:
    """Return the part of an event that is to be sent first: as many of its first segments as fit, but at least one.

    message: the event with the segments that have not been sent. max_bytes: maximum size of the body.
    An event without segments cannot be split, and is returned whole.
    """
    segments = message["event"].get("segments", ())
    whole = _encode(message)
    if len(whole) <= max_bytes or len(segments) < 2:
        return EventPart(whole, len(segments), True)
    size = len(_with_segments(message, []))
    count = 0
    for segment in segments:
        size += len(_encode(segment)) + (count > 0)
        if size > max_bytes:
            break
        count += 1
    count = max(count, 1)
    return EventPart(_with_segments(message, segments[:count]), count, count == len(segments))


def _with_segments(message: dict[str, Any], segments: list[Any]) -> bytes:
    return _encode({**message, "event": {**message["event"], "segments": segments}})


def _encode(document: Any) -> bytes:
    return unescape_json(orjson.dumps(document))
