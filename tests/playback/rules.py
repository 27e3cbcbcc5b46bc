"""The rules of HLS for media playlists (RFC 8216, draft-pantos-hls-rfc8216bis) as functions over text."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)(?:,|$)')
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?),(.*)")
_VERSIONS = {"EXT-X-BYTERANGE": 4, "EXT-X-I-FRAMES-ONLY": 4, "EXT-X-MAP": 6, "EXT-X-GAP": 8}
_RANGE = re.compile(r"([0-9]+)@([0-9]+)")
_OF_SEGMENTS = {
    *("EXTINF", "EXT-X-DISCONTINUITY", "EXT-X-MAP", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-GAP", "EXT-X-BYTERANGE"),
}
_OF_PLAYLISTS = {
    "EXT-X-I-FRAMES-ONLY",
    *("EXT-X-VERSION", "EXT-X-TARGETDURATION", "EXT-X-PLAYLIST-TYPE", "EXT-X-MEDIA-SEQUENCE"),
    *("EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-START", "EXT-X-ENDLIST"),
}


@dataclass
class Segment:
    """A segment as a player sees it. discontinuity: its discontinuity sequence number.

    byte_range: the first byte and the one after the last; None for all.
    """

    uri: str
    duration: Fraction
    number: int
    discontinuity: int
    map_uri: str | None
    date: datetime | None
    is_gap: bool
    is_discontinuous: bool
    byte_range: tuple[int, int] | None = None


@dataclass
class Playlist:
    """tags: those of the whole playlist, by name. comments: lines that are no tags."""

    tags: dict[str, str] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    @property
    def target(self) -> int:
        return int(self.tags["EXT-X-TARGETDURATION"])

    @property
    def is_complete(self) -> bool:
        return "EXT-X-ENDLIST" in self.tags

    @property
    def duration(self) -> Fraction:
        return sum((each.duration for each in self.segments), Fraction(0))


def attributes(text: str) -> dict[str, str]:
    """The attributes of a tag by name, without quotes (4.2). Raises AssertionError."""
    found = _ATTRIBUTE.findall(text)
    assert "".join(match[0] for match in _ATTRIBUTE.finditer(text)) == text, f"not an attribute list: {text}"
    assert len({name for name, _ in found}) == len(found), f"an attribute occurs twice: {text}"
    return {name: value.strip('"') for name, value in found}


def read_media_playlist(text: str) -> Playlist:
    """The playlist in a text that keeps the rules. Raises AssertionError for one that does not."""
    lines = text.split("\n")
    assert lines[0] == "#EXTM3U", "4.4.1.1: EXTM3U must be the first line"
    assert lines[-1] == "", "the last line must end"
    assert "\r" not in text and "\ufeff" not in text
    playlist = Playlist()
    needed = 1
    segment_tags: dict[str, str] = {}
    map_uri: str | None = None
    discontinuity = 0
    for line in lines[1:-1]:
        assert line, "no empty lines are expected"
        if line.startswith("#EXT"):
            name, _, value = line[1:].partition(":")
            assert name in _OF_SEGMENTS | _OF_PLAYLISTS, f"unknown tag {name}"
            needed = max(needed, _VERSIONS.get(name, 1))
            assert "EXT-X-ENDLIST" not in playlist.tags, "nothing is expected after EXT-X-ENDLIST"
            if name in _OF_PLAYLISTS:
                assert name not in playlist.tags, f"{name} occurs twice"
                first_only = name in ("EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE")
                assert not first_only or not (playlist.segments or segment_tags), f"{name} must come before segments"
                playlist.tags[name] = value
            else:
                assert name not in segment_tags, f"{name} occurs twice before a segment"
                segment_tags[name] = value
        elif line.startswith("#"):
            playlist.comments.append(line)
        else:
            assert "EXTINF" in segment_tags, "4.4.4.1: EXTINF is required for each segment"
            duration = _DURATION.fullmatch(segment_tags["EXTINF"])
            assert duration, f"not a duration: {segment_tags['EXTINF']}"
            needed = max(needed, 3 if "." in duration[1] else 1)
            if "EXT-X-MAP" in segment_tags:
                map_uri = attributes(segment_tags["EXT-X-MAP"])["URI"]
            is_discontinuous = "EXT-X-DISCONTINUITY" in segment_tags
            if not playlist.segments:
                discontinuity = int(playlist.tags.get("EXT-X-DISCONTINUITY-SEQUENCE", 0))
            discontinuity += is_discontinuous
            date = segment_tags.get("EXT-X-PROGRAM-DATE-TIME")
            number = int(playlist.tags.get("EXT-X-MEDIA-SEQUENCE", 0)) + len(playlist.segments)
            playlist.segments.append(
                Segment(
                    line,
                    Fraction(duration[1]),
                    number,
                    discontinuity,
                    map_uri,
                    None if date is None else datetime.fromisoformat(date),
                    "EXT-X-GAP" in segment_tags,
                    is_discontinuous,
                    _byte_range(segment_tags.get("EXT-X-BYTERANGE")),
                )
            )
            segment_tags = {}
    assert not segment_tags, f"tags without a segment: {segment_tags}"
    _check_whole(playlist, needed)
    return playlist


def _byte_range(text: str | None) -> tuple[int, int] | None:
    """A sub-range of a resource (4.4.4.2), which is told by its own place."""
    if text is None:
        return None
    found = _RANGE.fullmatch(text)
    assert found, f"4.4.4.2: not a byte range with its place: {text}"
    length, first = map(int, found.groups())
    assert length > 0, "4.4.4.2: a range has bytes"
    return first, first + length


def _check_whole(playlist: Playlist, needed_version: int) -> None:
    tags = playlist.tags
    assert int(tags.get("EXT-X-VERSION", 1)) >= needed_version, f"EXT-X-VERSION must be {needed_version} at least"
    assert "EXT-X-TARGETDURATION" in tags, "4.4.3.1: EXT-X-TARGETDURATION is required"
    assert playlist.target < 2**64, "4.2: numbers have 64 bits"
    for each in playlist.segments:
        assert int(each.duration + Fraction(1, 2)) <= playlist.target, "4.4.3.1: a segment exceeds the target duration"
    if "EXT-X-I-FRAMES-ONLY" in tags:
        assert all(each.byte_range or each.is_gap for each in playlist.segments), "4.4.3.6: each segment is one picture"
    kind = tags.get("EXT-X-PLAYLIST-TYPE")
    assert kind in (None, "VOD", "EVENT")
    assert kind != "VOD" or playlist.is_complete, "4.4.3.5: a VOD playlist does not change, and so it ends"
    assert all(each.date is None or each.date.tzinfo for each in playlist.segments), "4.4.4.6: dates need a zone"
    if "EXT-X-START" in tags:
        start = attributes(tags["EXT-X-START"])
        assert abs(Fraction(start["TIME-OFFSET"])) <= playlist.duration


def check_reload(earlier: Playlist, later: Playlist) -> None:
    """Check what may change between two reads of a playlist (6.2.1, 6.2.2). Raises AssertionError."""
    assert earlier.target == later.target, "6.2.1: the target duration must not change"
    assert not earlier.is_complete or earlier == later, "6.2.1: nothing changes after EXT-X-ENDLIST"
    known = {each.number: each for each in earlier.segments}
    for each in later.segments:
        if each.number in known:
            former = known[each.number]
            assert former.is_gap or former.uri == each.uri, "6.2.2: a number must not change its segment"
            assert former.discontinuity == each.discontinuity, "6.2.2: a discontinuity number must not change"
            assert former.duration == each.duration
            assert former.is_gap or not each.is_gap, "media does not become a gap"
            assert former.is_gap or former.byte_range == each.byte_range
    if earlier.segments and later.segments:
        first, last = earlier.segments[0].number, earlier.segments[-1].number
        assert first <= later.segments[0].number <= last + 1, "6.2.2: segments leave at the beginning only"
        assert last <= later.segments[-1].number, "6.2.1: segments come at the end only"
        removed = later.segments[0].number - first
        grows = earlier.tags.get("EXT-X-PLAYLIST-TYPE") == "EVENT"
        assert not (grows and removed), "4.4.3.5: an EVENT playlist only grows"


@dataclass
class Multivariant:
    """variants: attributes of EXT-X-STREAM-INF, with the URI. media: attributes of EXT-X-MEDIA.

    key_frames: attributes of EXT-X-I-FRAME-STREAM-INF.
    """

    variants: list[dict[str, str]] = field(default_factory=list)
    key_frames: list[dict[str, str]] = field(default_factory=list)
    media: list[dict[str, str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


def read_multivariant_playlist(text: str) -> Multivariant:
    """The multivariant playlist in a text that keeps the rules (4.4.6). Raises AssertionError for one that does not."""
    lines = text.split("\n")
    assert lines[0] == "#EXTM3U"
    assert lines[-1] == ""
    found = Multivariant()
    variant: dict[str, str] | None = None
    for line in lines[1:-1]:
        name, _, value = line.removeprefix("#").partition(":")
        if not line.startswith("#"):
            assert variant is not None, "4.4.6.2: a URI follows its EXT-X-STREAM-INF"
            found.variants.append({**variant, "URI": line})
            variant = None
        else:
            assert variant is None, "4.4.6.2: the URI follows at once"
            if name == "EXT-X-STREAM-INF":
                variant = attributes(value)
            elif name == "EXT-X-MEDIA":
                found.media.append(attributes(value))
            elif name == "EXT-X-I-FRAME-STREAM-INF":
                found.key_frames.append(attributes(value))
            elif not line.startswith("#EXT"):
                found.comments.append(line)
            else:
                assert name == "EXT-X-VERSION", f"unknown tag {name}"
    assert variant is None
    assert found.variants, "there must be a variant"
    _check_programme(found)
    return found


def _check_programme(found: Multivariant) -> None:
    for each in found.variants:
        assert 2**64 > int(each["BANDWIDTH"]) >= int(each["AVERAGE-BANDWIDTH"]) > 0, "4.2: numbers have 64 bits"
        for kind in ("AUDIO", "SUBTITLES"):
            groups = {media["GROUP-ID"] for media in found.media if media["TYPE"] == kind}
            assert kind not in each or each[kind] in groups, f"4.4.6.2: there is no group {each[kind]}"
    for each in found.key_frames:
        assert int(each["BANDWIDTH"]) > 0 and each["URI"], "4.4.6.3: BANDWIDTH and URI are required"
        assert not {"AUDIO", "SUBTITLES", "CLOSED-CAPTIONS", "FRAME-RATE"} & each.keys(), "4.4.6.3: not of key frames"
    for media in found.media:
        group = [each for each in found.media if (each["TYPE"], each["GROUP-ID"]) == (media["TYPE"], media["GROUP-ID"])]
        names = [each["NAME"] for each in group]
        assert len(set(names)) == len(names), "4.4.6.1.1: names in a group differ"
        assert sum(each["DEFAULT"] == "YES" for each in group) <= 1, "4.4.6.1.1: a group has one default at most"
        assert media["DEFAULT"] == "NO" or media["AUTOSELECT"] == "YES", "4.4.6.1: what is default is selected"
        assert "FORCED" not in media or media["TYPE"] == "SUBTITLES"
    for kind in ("AUDIO", "SUBTITLES"):
        _check_groups([each for each in found.media if each["TYPE"] == kind])


def _check_groups(media: list[dict[str, str]]) -> None:
    """Check the groups of one type."""
    members: dict[str, list[dict[str, str]]] = {}
    for each in media:
        same = {name: value for name, value in each.items() if name not in ("GROUP-ID", "URI", "CHANNELS")}
        members.setdefault(each["GROUP-ID"], []).append(same)
    for group in members.values():
        assert group == next(iter(members.values())), "RFC 8216, 4.3.4.2.1: all groups have the same members"
