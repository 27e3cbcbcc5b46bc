"""Edit lists from OpenTimelineIO: the clips and gaps of the first track that has clips.

A clip names its flow by its media: the URL `tams:FLOW` or one that contains `/flows/FLOW`, or `flow_id` in the metadata
`tams` of the media or of the clip. Its source range counts in the timeline of that flow.
"""

import re
from fractions import Fraction
from typing import Any, Final

from storage.timerange import NS, TimeRange
from tams_server.client_media.cut_list import Entry, checked
from tams_server.client_media.errors import MediaError

_FLOW: Final = re.compile(r"(?:^tams:(?://)?|/flows/)([0-9a-fA-F-]{36})\b")


def read_otio(path: str, start: int) -> list[Entry]:
    """The entries of a file of OpenTimelineIO, from `start` ns on. Raises MediaError for what has no counterpart."""
    import opentimelineio as otio

    try:
        timeline: Any = otio.adapters.read_from_file(path)
    except (otio.exceptions.OTIOError, ValueError, OSError) as error:
        raise MediaError(f"{path} cannot be read as OpenTimelineIO: {error}") from error
    if not isinstance(timeline, otio.schema.Timeline):
        raise MediaError(f"{path} must hold a timeline, not a {type(timeline).__name__}")
    tracks = [track for track in timeline.tracks if any(isinstance(each, otio.schema.Clip) for each in track)]
    if not tracks:
        raise MediaError(f"{path} has no track with clips")
    others = [track for track in tracks[1:] if [_shape(each) for each in track] != [_shape(each) for each in tracks[0]]]
    if others:
        raise MediaError(f"{path} has {len(tracks)} tracks with different clips: cut one flow for each of them")
    at, found = start, []
    for item in tracks[0]:
        length = _ns(item.duration())
        if isinstance(item, otio.schema.Clip):
            if item.effects:
                raise MediaError(f"clip {item.name!r} has effects, which a cut by reference cannot hold")
            found.append(Entry(_flow_id(item), _timerange(item), at))
        elif not isinstance(item, otio.schema.Gap):
            raise MediaError(f"{path} has a {type(item).__name__}, which a cut by reference cannot hold")
        at += length
    return checked(found)


def _shape(item: Any) -> tuple[str, int, int]:
    span = item.trimmed_range()
    return type(item).__name__, _ns(span.start_time), _ns(span.duration)


def _timerange(clip: Any) -> TimeRange:
    span = clip.trimmed_range()
    first = _ns(span.start_time)
    return TimeRange(first, first + _ns(span.duration))


def _flow_id(clip: Any) -> str:
    media = clip.media_reference
    for holder in (media, clip):
        named = (dict(getattr(holder, "metadata", None) or {}).get("tams") or {}).get("flow_id")
        if named:
            return str(named)
    found = _FLOW.search(getattr(media, "target_url", None) or "")
    if not found:
        raise MediaError(f"clip {clip.name!r} does not name a flow: give its media the URL tams:FLOW")
    return found[1]


def _ns(time: Any) -> int:
    """A rational time in nanoseconds. Rates such as 29.97 stand for 30000/1001."""
    rate = Fraction(time.rate).limit_denominator(1001)
    nominal = round(time.rate)
    if abs(time.rate - nominal * 1000 / 1001) < 0.005 and time.rate != nominal:
        rate = Fraction(nominal * 1000, 1001)
    return round(Fraction(time.value) / rate * NS)
