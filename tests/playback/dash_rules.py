"""The rules of DASH for manifests (ISO/IEC 23009-1, with its XML schema) as functions over text."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from urllib.parse import urlsplit

NAMESPACE = "{urn:mpeg:dash:schema:mpd:2011}"
_DURATION = re.compile(r"PT([0-9]+(?:\.[0-9]+)?)S")
_NUMBER = re.compile(r"0|[1-9][0-9]*")
_RANGE = re.compile(r"([0-9]+)-([0-9]+)")
_MOST_LONG = 2**64 - 1
_MOST_INT = 2**32 - 1
_INTS = ("bandwidth", "width", "height", "audioSamplingRate", "timescale")

# What each element may contain, in the order of the schema, and its attributes, of which those with ! are needed. An S
# may not have r, with which dash.js finds wrong URLs.
_CHILDREN = {
    "MPD": ["Location", "Period", "UTCTiming"],
    "Location": [],
    "Period": ["AdaptationSet"],
    "AdaptationSet": ["Label", "Role", "Representation"],
    "Label": [],
    "Role": [],
    "Representation": ["AudioChannelConfiguration", "BaseURL", "SegmentList"],
    "BaseURL": [],
    "AudioChannelConfiguration": [],
    "SegmentList": ["Initialization", "SegmentTimeline", "SegmentURL"],
    "Initialization": [],
    "SegmentTimeline": ["S"],
    "S": [],
    "SegmentURL": [],
    "UTCTiming": [],
}
_REPEATED = {"Period", "AdaptationSet", "Representation", "S", "SegmentURL"}
_ATTRIBUTES = {
    "MPD": "profiles! type! minBufferTime! maxSegmentDuration mediaPresentationDuration availabilityStartTime"
    " publishTime suggestedPresentationDelay timeShiftBufferDepth minimumUpdatePeriod",
    "Period": "id start duration",
    "AdaptationSet": "id contentType mimeType lang segmentAlignment",
    "Role": "schemeIdUri! value",
    "Representation": "id! bandwidth! codecs width height frameRate audioSamplingRate",
    "AudioChannelConfiguration": "schemeIdUri! value",
    "SegmentList": "timescale presentationTimeOffset",
    "Initialization": "sourceURL range",
    "S": "t d!",
    "SegmentURL": "media mediaRange",
    "UTCTiming": "schemeIdUri! value",
}
_FORMS = {
    **dict.fromkeys(("t", "d", "timescale", "presentationTimeOffset"), _NUMBER),
    **dict.fromkeys(("bandwidth", "width", "height"), re.compile(r"[1-9][0-9]*")),
    "frameRate": re.compile(r"[0-9]+(/[0-9]+)?"),
    "audioSamplingRate": re.compile(r"[0-9]+"),
    "lang": re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*"),
    "mediaRange": _RANGE,
    "type": re.compile("static|dynamic"),
    "segmentAlignment": re.compile("true|false"),
    "mimeType": re.compile("(video|audio|application)/mp4"),
    "contentType": re.compile("video|audio|text"),
}


@dataclass(frozen=True)
class Piece:
    """A segment. start, end: in seconds of the whole presentation. media_start: in seconds of its own timestamps.

    byte_range: the first byte and the one after the last; None for all.
    """

    url: str
    start: Fraction
    end: Fraction
    media_start: Fraction
    byte_range: tuple[int, int] | None


@dataclass(frozen=True)
class Track:
    """A representation in a period.

    attributes: of it and of its adaptation set. label, roles: of the set. ticks: in a second.
    """

    attributes: dict[str, str]
    label: str | None
    roles: list[str]
    ticks: int
    init_url: str | None
    pieces: list[Piece]


@dataclass(frozen=True)
class Span:
    """A period. start, end: in seconds; no end for the last of a presentation that goes on."""

    id: str
    start: Fraction
    end: Fraction | None
    tracks: list[Track]


@dataclass(frozen=True)
class Manifest:
    """attributes: of the whole. location: from which it is reloaded. time: of the server."""

    attributes: dict[str, str]
    location: str | None
    time: datetime | None
    periods: list[Span]

    @property
    def is_dynamic(self) -> bool:
        return self.attributes["type"] == "dynamic"

    @property
    def duration(self) -> Fraction:
        """In seconds, of a complete one."""
        return seconds(self.attributes["mediaPresentationDuration"])

    def pieces(self, number: int = 0) -> list[Piece]:
        """Those of one track in all periods."""
        return [piece for period in self.periods for piece in period.tracks[number].pieces]


def seconds(duration: str) -> Fraction:
    """The seconds of an xs:duration. Raises AssertionError."""
    found = _DURATION.fullmatch(duration)
    assert found, f"not a duration as it is expected: {duration}"
    return Fraction(found[1])


def read_manifest(text: str) -> Manifest:
    """The manifest in a text that keeps the rules. Raises AssertionError for one that does not."""
    root = ET.fromstring(text)
    assert root.tag == f"{NAMESPACE}MPD"
    _check_element(root)
    attributes = dict(root.attrib)
    is_dynamic = attributes["type"] == "dynamic"
    if is_dynamic:
        assert {"availabilityStartTime", "publishTime"} <= attributes.keys(), "5.3.1.2: needed if dynamic"
        # It is told of its end by one that is static, so that players must go on to reload it.
        assert "minimumUpdatePeriod" in attributes, "5.3.1.2: needed if it changes"
    else:
        assert "mediaPresentationDuration" in attributes, "5.3.1.2: needed if static"
        assert not {"minimumUpdatePeriod", "timeShiftBufferDepth"} & attributes.keys(), "5.3.1.2: not if static"
    for name in ("availabilityStartTime", "publishTime"):
        assert name not in attributes or datetime.fromisoformat(attributes[name]).tzinfo
    elements = root.findall(f"{NAMESPACE}Period")
    assert elements, "5.3.1.2: a presentation has a period"
    starts = [seconds(each.attrib["start"]) for each in elements]
    assert starts == sorted(set(starts)), "5.3.2.1: periods follow one another"
    assert is_dynamic or starts[0] == 0 or "availabilityStartTime" in attributes, "it has been dynamic"
    total = seconds(attributes["mediaPresentationDuration"]) if "mediaPresentationDuration" in attributes else None
    periods = [
        _read_period(each, start, end) for each, start, end in zip(elements, starts, [*starts[1:], total], strict=True)
    ]
    assert len({each.id for each in periods}) == len(periods), "5.3.2.2: ids of periods differ"
    longest = max(piece.end - piece.start for each in periods for track in each.tracks for piece in track.pieces)
    assert longest <= seconds(attributes["maxSegmentDuration"]) + Fraction(1, 1000), "5.3.1.2: no segment is longer"
    location, timing = root.find(f"{NAMESPACE}Location"), root.find(f"{NAMESPACE}UTCTiming")
    return Manifest(
        attributes,
        None if location is None else location.text,
        None if timing is None else datetime.fromisoformat(timing.attrib["value"]),
        periods,
    )


def _check_element(element: ET.Element) -> None:
    """Check an element and what it contains against the tables above."""
    name = element.tag.removeprefix(NAMESPACE)
    allowed = _ATTRIBUTES.get(name, "").split()
    assert set(element.attrib) <= {each.rstrip("!") for each in allowed}, f"{name} has {set(element.attrib)}"
    assert {each.rstrip("!") for each in allowed if each.endswith("!")} <= set(element.attrib), f"{name} lacks one"
    for key, value in element.attrib.items():
        assert value and (key not in _FORMS or _FORMS[key].fullmatch(value)), f"{name}: {key} is {value!r}"
        assert key not in ("t", "presentationTimeOffset") or int(value) <= _MOST_LONG
        assert key not in _INTS or int(value) <= _MOST_INT, f"{name}: {key} is {value}"
    kinds = [child.tag.removeprefix(NAMESPACE) for child in element]
    order = _CHILDREN[name]
    assert set(kinds) <= set(order), f"{name} contains {kinds}"
    assert [order.index(each) for each in kinds] == sorted(order.index(each) for each in kinds), f"{name}: {kinds}"
    assert all(kinds.count(each) == 1 for each in set(kinds) - _REPEATED), f"{name}: {kinds}"
    for child in element:
        _check_element(child)


def _read_period(element: ET.Element, start: Fraction, end: Fraction | None) -> Span:
    if "duration" in element.attrib:
        assert end == start + seconds(element.attrib["duration"]), "5.3.2.1: a period lasts until the next"
    tracks: list[Track] = []
    sets = element.findall(f"{NAMESPACE}AdaptationSet")
    assert sets, "5.3.2.2: a period has an adaptation set"
    assert len({each.attrib["id"] for each in sets}) == len(sets), "5.3.3.2: ids of sets differ"
    for each in sets:
        found = [_read_track(each, inner, start) for inner in each.findall(f"{NAMESPACE}Representation")]
        assert found, "5.3.3.2: a set has a representation"
        if each.attrib.get("segmentAlignment") == "true":
            spans = [[(piece.start, piece.end) for piece in track.pieces] for track in found]
            assert all(len(one) == len(spans[0]) for one in spans), "5.3.3.2: segments are not aligned"
            for one, other in zip(spans[0], spans[-1], strict=True):
                assert all(abs(a - b) < Fraction(1, 1000) for a, b in zip(one, other, strict=True))
        tracks += found
    ids = [track.attributes["id"] for track in tracks]
    assert len(set(ids)) == len(ids), "5.3.5.2: ids of representations differ"
    return Span(element.attrib["id"], start, end, tracks)


def _read_track(set_: ET.Element, element: ET.Element, period_start: Fraction) -> Track:
    segment_list = element.find(f"{NAMESPACE}SegmentList")
    assert segment_list is not None
    ticks = int(segment_list.attrib.get("timescale", 1))
    assert ticks > 0
    offset = int(segment_list.attrib.get("presentationTimeOffset", 0))
    urls = segment_list.findall(f"{NAMESPACE}SegmentURL")
    spans: list[tuple[int, int]] = []
    for each in segment_list.iter(f"{NAMESPACE}S"):
        duration = int(each.attrib["d"])
        assert duration > 0
        first = int(each.attrib.get("t", spans[-1][1] if spans else 0))
        assert not spans or first >= spans[-1][1], "5.3.9.6: segments must not overlap"
        spans.append((first, first + duration))
    assert len(spans) == len(urls), "5.3.9.6: there is a URL for each segment of the timeline"
    pieces = [
        Piece(
            url.attrib["media"],
            period_start + Fraction(first - offset, ticks),
            period_start + Fraction(last - offset, ticks),
            Fraction(first, ticks),
            _byte_range(url.attrib.get("mediaRange")),
        )
        for url, (first, last) in zip(urls, spans, strict=True)
    ]
    assert all(urlsplit(each.url).scheme for each in pieces)
    init, label = segment_list.find(f"{NAMESPACE}Initialization"), set_.find(f"{NAMESPACE}Label")
    return Track(
        {**set_.attrib, **element.attrib},
        None if label is None else label.text,
        [each.attrib["value"] for each in set_.findall(f"{NAMESPACE}Role")],
        ticks,
        None if init is None else init.attrib["sourceURL"],
        pieces,
    )


def _byte_range(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = _RANGE.fullmatch(text)
    assert found
    first, last = map(int, found.groups())
    assert first <= last
    return first, last + 1


def check_reload(earlier: Manifest, later: Manifest) -> None:
    """Check what may change between two reads of a dynamic presentation (5.4.1). Raises AssertionError."""
    for name in ("availabilityStartTime",):
        assert earlier.attributes.get(name) == later.attributes.get(name), f"5.4.1: {name} must not change"
    assert earlier.attributes["publishTime"] <= later.attributes["publishTime"]
    known = {each.id: each for each in earlier.periods}
    for period in later.periods:
        if period.id in known:
            assert period.start == known[period.id].start, "5.4.1: a period must not move"
    homes = {piece.url: each.id for each in earlier.periods for track in each.tracks for piece in track.pieces}
    for each in later.periods:
        for piece in (piece for track in each.tracks for piece in track.pieces):
            assert homes.get(piece.url, each.id) == each.id, "5.4.1: a segment must stay in its period"
    places = {piece.url: piece for each in earlier.periods for track in each.tracks for piece in track.pieces}
    for piece in (piece for each in later.periods for track in each.tracks for piece in track.pieces):
        assert places.get(piece.url, piece) == piece, "5.4.1: a segment must not move"
