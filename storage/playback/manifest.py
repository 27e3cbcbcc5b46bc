"""Media presentation descriptions of DASH (ISO/IEC 23009-1): the flows of a programme, period by period."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from itertools import accumulate, starmap
from operator import lt
from typing import Any, Final

from storage.playback.essence import Kind, frame_rate, kind_of, parameter, resolution, whole_number
from storage.playback.hls_tags import hls_tag, is_language, printable
from storage.playback.periods import Period, Run
from storage.timerange import NS

_TYPES: Final[Mapping[Kind, str]] = {"video": "video/mp4", "audio": "audio/mp4", "text": "application/mp4"}
_ROLES: Final = "urn:mpeg:dash:role:2011"
_CHANNELS: Final = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
_DELAY_SEGMENTS: Final = 3
"""How far behind the last segment players should be."""
_DIRECT_TIME: Final = "urn:mpeg:dash:utc:direct:2014"


@dataclass(frozen=True, slots=True)
class Representation:
    """A flow as a part of a programme.

    flow: its document. codecs: as in RFC 6381; empty if they are not known. bandwidth: peak bit rate in bit/s.
    timescale: ticks in a second, in which its times are told.
    """

    flow: Mapping[str, Any]
    codecs: Sequence[str]
    bandwidth: int
    timescale: int

    @property
    def kind(self) -> Kind:
        """What players present of it."""
        return kind_of(self.flow)

    @property
    def set(self) -> tuple[str, ...]:
        """The same for representations of which players choose one, and change to another while they play."""
        family = ",".join(codec.partition(".")[0] for codec in self.codecs) or str(self.flow.get("codec")).lower()
        return self.kind, family, hls_tag(self.flow, "language").lower(), hls_tag(self.flow, "name")


@dataclass(frozen=True, slots=True)
class Clock:
    """When segments of a dynamic presentation are there, by the clock.

    begin: the moment of availabilityStartTime, in microseconds since 1970. origin: the place of that moment on the
    timeline, in ns. first_start: where the first period that is listed begins on it, in ns, if that is known; None if
    nobody knows. published: when what is told has changed last, and now: both in microseconds since 1970.
    window_s: how many seconds are listed; None for everything. update_s: when to reload, in seconds.
    location: where. has_ended: whether all is there, and players have had the time to read that.
    """

    begin: int
    origin: int
    first_start: int | None
    published: int
    now: int
    window_s: int | None
    update_s: int
    location: str
    has_ended: bool = False


def write_manifest(
    representations: Sequence[Representation],
    periods: Sequence[Period],
    urls: Mapping[str, str | None],
    clock: Clock | None,
    *,
    complete: bool,
    left_out: int = 0,
) -> str:
    """The text of a media presentation description.

    representations: in the order of the runs in each period. periods: one at least. urls: where objects are, by id.
    clock: of a presentation that is dynamic, or was and has ended, which players learn when it becomes static; None for
    another static one, in which gaps between periods are passed over. complete: nothing will be added. left_out: how
    many segments are not listed because they use only a part of their object.
    """
    longest = max([run.longest for period in periods for run in period.runs if run is not None])
    placed = _placed(periods, clock)
    is_dynamic = clock is not None and not clock.has_ended
    attributes = {
        "xmlns": "urn:mpeg:dash:schema:mpd:2011",
        "profiles": "urn:mpeg:dash:profile:isoff-main:2011",
        "type": "dynamic" if is_dynamic else "static",
        "minBufferTime": _duration(longest),
        "maxSegmentDuration": _duration(longest),
    }
    if clock is not None:
        attributes |= _by_clock(clock, periods, longest)
    if complete:
        last = placed[-1]
        attributes["mediaPresentationDuration"] = _duration(last.position + last.period.end - last.zero)
    sets = {name: str(number) for number, name in enumerate(dict.fromkeys(each.set for each in representations))}
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', _tag("MPD", attributes)]
    if left_out:
        lines.append(f"<!-- Left out: {left_out} segments that use only a part of their object -->")
    if clock is not None and is_dynamic:
        lines.append(f"<Location>{escape(clock.location)}</Location>")
    for place, id_ in zip(placed, _ids(placed, clock), strict=True):
        period = place.period
        lines.append(_tag("Period", {"id": id_, "start": _duration(place.position)} | _period_duration(period, clock)))
        found = [(each, run) for each, run in zip(representations, period.runs, strict=True) if run is not None]
        for name, set_id in sets.items():
            chosen = [(each, run) for each, run in found if each.set == name]
            lines += _adaptation_set(set_id, chosen, urls, place.zero) if chosen else ()
        lines.append("</Period>")
    if clock is not None and is_dynamic:
        lines.append(_tag("UTCTiming", {"schemeIdUri": _DIRECT_TIME, "value": _date_time(clock.now)}, closed=True))
    return "\n".join([*lines, "</MPD>", ""])


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a period is. zero: its beginning on the timeline. position: after the beginning of the whole. In ns."""

    period: Period
    zero: int
    position: int


def _placed(periods: Sequence[Period], clock: Clock | None) -> list[_Place]:
    """The places of the periods: one after another, or by the clock.

    The first period of a window has begun before it, where that is recorded. Otherwise it is said to begin when the
    clock of the media did, which can be told from each of its segments, and so stays the same while segments leave it.
    """
    if clock is None:
        ends = accumulate((each.end - each.start for each in periods), initial=0)
        return [_Place(each, each.start, position) for each, position in zip(periods, ends, strict=False)]
    begin = clock.origin if clock.first_start is None else clock.first_start
    first = max(begin, *(run.ts_offset for run in periods[0].runs if run is not None))
    zeros = [first, *(each.start for each in periods[1:])]
    return [_Place(each, zero, zero - clock.origin) for each, zero in zip(periods, zeros, strict=True)]


def _ids(placed: Sequence[_Place], clock: Clock | None) -> Iterator[str]:
    """The ids of the periods, which stay the same while periods before them leave a dynamic presentation."""
    for number, place in enumerate(placed):
        if clock is None:
            yield str(number)
            continue
        # Other flows may have nothing any more in the part of a period that is listed.
        leader = place.period.runs[0]
        assert leader is not None
        name = f"{leader.segments[0].init_object_id} {leader.ts_offset} {place.zero}"
        yield sha256(name.encode()).hexdigest()[:16]


def _period_duration(period: Period, clock: Clock | None) -> dict[str, str]:
    return {"duration": _duration(period.end - period.start)} if clock is None else {}


def _by_clock(clock: Clock, periods: Sequence[Period], longest: int) -> dict[str, str]:
    """Attributes of a presentation. A complete one says when to reload it too, since it becomes static."""
    attributes = {"availabilityStartTime": _date_time(clock.begin), "publishTime": _date_time(clock.published)}
    if clock.has_ended:
        return attributes
    attributes |= {
        "minimumUpdatePeriod": _duration(clock.update_s * NS),
        "suggestedPresentationDelay": _duration(_DELAY_SEGMENTS * longest),
    }
    if clock.window_s is not None:
        listed = periods[-1].end - periods[0].start
        attributes["timeShiftBufferDepth"] = _duration(max(clock.window_s * NS, listed))
    return attributes


def _adaptation_set(
    set_id: str, found: Sequence[tuple[Representation, Run]], urls: Mapping[str, str | None], zero: int
) -> Iterator[str]:
    """The lines of representations from which players choose. zero: where the period begins on the timeline, in ns."""
    first = found[0][0]
    are_aligned = len(found) == 1 or len({tuple(run.spans) for _, run in found}) == 1
    attributes = {"id": set_id, "contentType": first.kind, "mimeType": _TYPES[first.kind]}
    language = hls_tag(first.flow, "language")
    if is_language(language):
        attributes["lang"] = language
    if are_aligned:
        attributes["segmentAlignment"] = "true"
    yield _tag("AdaptationSet", attributes)
    label = printable(hls_tag(first.flow, "name") or first.flow.get("label") or "")
    if label:
        yield f"<Label>{escape(label)}</Label>"
    if first.kind == "text":
        is_forced = hls_tag(first.flow, "forced").lower() == "true"
        yield _tag(
            "Role", {"schemeIdUri": _ROLES, "value": "forced-subtitle" if is_forced else "subtitle"}, closed=True
        )
    elif hls_tag(first.flow, "default").lower() == "true":
        yield _tag("Role", {"schemeIdUri": _ROLES, "value": "main"}, closed=True)
    for representation, run in found:
        yield from _representation(representation, run, urls, zero)
    yield "</AdaptationSet>"


def _representation(
    representation: Representation, run: Run, urls: Mapping[str, str | None], zero: int
) -> Iterator[str]:
    flow = representation.flow
    attributes = {"id": str(flow["id"]), "bandwidth": str(representation.bandwidth)}
    if representation.codecs:
        attributes["codecs"] = ",".join(representation.codecs)
    pixels, rate = resolution(flow), frame_rate(flow)
    if pixels is not None:
        attributes |= {"width": str(pixels[0]), "height": str(pixels[1])}
    if rate is not None:
        attributes["frameRate"] = str(rate)
    sampling = whole_number(parameter(flow, "sample_rate"))
    if sampling:
        attributes["audioSamplingRate"] = str(sampling)
    yield _tag("Representation", attributes)
    channels = whole_number(parameter(flow, "channels"))
    if channels:
        yield _tag("AudioChannelConfiguration", {"schemeIdUri": _CHANNELS, "value": str(channels)}, closed=True)
    # All URLs are absolute. But FFmpeg keeps no room for URLs that are much longer than this one.
    yield f"<BaseURL>{escape(urls[run.segments[0].object_id] or '')}</BaseURL>"
    yield from _segment_list(run, representation.timescale, urls, zero)
    yield "</Representation>"


def _segment_list(run: Run, timescale: int, urls: Mapping[str, str | None], zero: int) -> Iterator[str]:
    """The segments by their URLs, and their times as they are in the media, in ticks.

    timescale: ticks in a second, unless some segment is shorter than a tick. zero: as for `_adaptation_set`.
    """
    spans = _in_ticks(run, timescale)
    if not all(starmap(lt, spans)):
        timescale, spans = NS, _in_ticks(run, NS)
    offset = _ticks(zero - run.ts_offset, timescale)
    yield _tag("SegmentList", {"timescale": str(timescale), "presentationTimeOffset": str(offset)})
    init_id = run.segments[0].init_object_id
    if init_id is not None:
        yield _tag("Initialization", {"sourceURL": urls[init_id] or ""}, closed=True)
    yield "<SegmentTimeline>"
    yield from _timeline(spans)
    yield "</SegmentTimeline>"
    for segment in run.segments:
        url, used = escape(urls[segment.object_id] or ""), segment.byte_range
        range_ = "" if used is None else f' mediaRange="{used[0]}-{used[1] - 1}"'
        yield f'<SegmentURL media="{url}"{range_}/>'
    yield "</SegmentList>"


def _ticks(ns: int, timescale: int) -> int:
    return (ns * timescale + NS // 2) // NS


def _in_ticks(run: Run, timescale: int) -> list[tuple[int, int]]:
    """Where segments begin and end in the media, each time rounded by itself (`_ticks`, without a call for each)."""
    half, offset = NS // 2, run.ts_offset
    return [
        (((start - offset) * timescale + half) // NS, ((end - offset) * timescale + half) // NS)
        for start, end in run.spans
    ]


def _timeline(spans: Sequence[tuple[int, int]]) -> list[str]:
    """An S for each span, which says where it begins if that is not the end of the one before. spans: in ticks.

    Without @r, since dash.js counts elements to find the URL of a segment.
    """
    ends = [None, *(last for _, last in spans)]
    return [
        f'<S d="{last - first}"/>' if first == end else f'<S t="{first}" d="{last - first}"/>'
        for (first, last), end in zip(spans, ends, strict=False)
    ]


def _tag(name: str, attributes: Mapping[str, str], *, closed: bool = False) -> str:
    """The start of an element, or all of one without content."""
    values = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{values}{'/' if closed else ''}>"


def _duration(ns: int) -> str:
    """Nanoseconds as an xs:duration, exactly."""
    whole, rest = divmod(ns, NS)
    return f"PT{whole}.{rest:09}S" if rest else f"PT{whole}S"


def _date_time(us: int) -> str:
    """Microseconds since 1970 as an xs:dateTime in UTC."""
    return f"{datetime.fromtimestamp(us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%S}.{us % 1_000_000 // 1000:03}Z"
