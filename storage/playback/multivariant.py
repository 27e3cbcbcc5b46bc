"""Multivariant playlists of HLS (RFC 8216bis, section 4.4.6): the pictures, sounds and subtitles of one programme."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from itertools import count as count_up
from typing import Any, Final

from storage.errors import Unsuitable
from storage.playback.essence import Kind, frame_rate, kind_of, parameter, resolution, whole_number
from storage.playback.hls_tags import hls_tag, is_language, printable
from storage.playback.media_segment import JITTER_NS

_SOUND: Final = ("mp4a.", "ac-3", "ec-3", "Opus", "fLaC")
"""How the names of codecs of sound begin."""
_RANGES: Final = ("SDR", "HLG", "PQ")


@dataclass(frozen=True, slots=True)
class KeyFrameRendition:
    """The key frames of a video flow, for seeking. uri: of their playlist. peak: bit rate in bit/s."""

    uri: str
    peak: int


@dataclass(frozen=True, slots=True)
class Rendition:
    """A flow as a part of a programme.

    flow: its document. uri: of its media playlist. codecs: as in RFC 6381; empty if they are not known.
    peak, average: bit rates in bit/s. ts_offset: of its first segment, in ns. key_frames: None if they are not known.
    """

    flow: Mapping[str, Any]
    uri: str
    codecs: Sequence[str]
    peak: int
    average: int
    ts_offset: int
    key_frames: KeyFrameRendition | None = None

    @property
    def kind(self) -> Kind:
        """What players present of it."""
        return kind_of(self.flow)

    def tag(self, name: str) -> str:
        """The tag hls_{name} of the flow; "" without one."""
        return hls_tag(self.flow, name)


@dataclass(frozen=True, slots=True)
class _Member:
    """A sound or subtitles of a programme, in one encoding at least. encodings: by their codecs, in order."""

    encodings: dict[tuple[str, ...], Rendition]

    @property
    def first(self) -> Rendition:
        return next(iter(self.encodings.values()))

    def tag(self, name: str) -> str:
        """The tag hls_{name} of the first encoding that has it; "" without one."""
        return next(filter(None, (each.tag(name) for each in self.encodings.values())), "")


def write_multivariant_playlist(renditions: Sequence[Rendition]) -> str:
    """The text of a multivariant playlist. renditions: one at least.

    Raises: Unsuitable for subtitles alone, which players show only with pictures or sound.
    """
    pictures = sorted((each for each in renditions if each.kind == "video"), key=lambda each: -each.peak)
    leaders = pictures or [each for each in renditions if each.kind == "audio"]
    if not leaders:
        raise Unsuitable(
            f"flow {renditions[0].flow['id']} is subtitles, which players show with pictures or sound only"
        )
    in_sync = [each for each in renditions if abs(each.ts_offset - leaders[0].ts_offset) < JITTER_NS]
    left_out = [each for each in renditions if each not in in_sync]
    lines = ["#EXTM3U", "#EXT-X-VERSION:6"]
    lines += [f"# Left out, as its media counts from another time: flow {each.flow['id']}" for each in left_out]
    sounds = _members(each for each in in_sync if pictures and each.kind == "audio")
    texts = [_Member({(): each}) for each in in_sync if each.kind == "text"]
    groups = _groups(sounds)
    for number, group in enumerate(groups, 1):
        lines += _media("AUDIO", f"audio-{number}", sounds, group)
    lines += _media("SUBTITLES", "subtitles", texts, [each.first for each in texts])
    subtitles = {"SUBTITLES": '"subtitles"'} if texts else {}
    for leader in (each for each in leaders if each in in_sync):
        if not groups:
            lines += _variant(leader, subtitles, ())
        for number, group in enumerate(groups, 1):
            lines += _variant(leader, {"AUDIO": f'"audio-{number}"', **subtitles}, group)
    lines += [_key_frames(each, each.key_frames) for each in in_sync if each.key_frames is not None]
    return "\n".join([*lines, ""])


def _members(renditions: Iterable[Rendition]) -> list[_Member]:
    """What players choose from: renditions of the same language and name in different codecs are one member.

    The name is the tag; labels tell members apart only where one codec has several of a language and name.
    """
    found = list(renditions)
    counts = Counter((_identity(each), tuple(each.codecs)) for each in found)
    repeated = {identity for (identity, _), count in counts.items() if count > 1}
    members: dict[tuple[object, ...], _Member] = {}
    for each in found:
        identity, codecs = _identity(each), tuple(each.codecs)
        label = each.flow.get("label", "") if identity in repeated else ""
        for number in count_up():
            member = members.setdefault((identity, label, number), _Member({}))
            if codecs not in member.encodings:
                member.encodings[codecs] = each
                break
    return list(members.values())


def _identity(rendition: Rendition) -> tuple[str, str]:
    return rendition.tag("language").lower(), rendition.tag("name")


def _groups(members: Sequence[_Member]) -> list[list[Rendition]]:
    """A group for each codec, of all members in order. A member without that codec has its first one in the group.

    All groups of a type must have the same members (RFC 8216, 4.3.4.2.1).
    """
    all_codecs = dict.fromkeys(codecs for member in members for codecs in member.encodings)
    groups = [[member.encodings.get(codecs, member.first) for member in members] for codecs in all_codecs]
    return list({tuple(each.uri for each in group): group for group in groups}.values())


def _media(type_: str, group: str, members: Sequence[_Member], renditions: Sequence[Rendition]) -> Iterable[str]:
    """The lines of a group. renditions: one of each member, from which only the URI and the channels are."""
    chosen = next((each for each in members if each.tag("default").lower() == "true"), None)
    if chosen is None and type_ == "AUDIO" and members:
        chosen = members[0]
    names: set[str] = set()
    for number, (member, rendition) in enumerate(zip(members, renditions, strict=True), 1):
        label = member.first.flow.get("label")
        name = _unused(printable(member.tag("name") or label or f"{rendition.kind} {number}"), names)
        names.add(name)
        attributes = {"TYPE": type_, "GROUP-ID": f'"{group}"', "NAME": f'"{name}"'}
        language = member.tag("language")
        if is_language(language):
            attributes["LANGUAGE"] = f'"{language}"'
        is_default = member is chosen
        attributes["DEFAULT"] = "YES" if is_default else "NO"
        attributes["AUTOSELECT"] = "YES" if is_default or member.tag("autoselect").lower() != "false" else "NO"
        if type_ == "SUBTITLES":
            attributes["FORCED"] = "YES" if member.tag("forced").lower() == "true" else "NO"
        channels = whole_number(parameter(rendition.flow, "channels"))
        if type_ == "AUDIO" and channels:
            attributes["CHANNELS"] = f'"{channels}"'
        attributes["URI"] = f'"{rendition.uri}"'
        yield f"#EXT-X-MEDIA:{_list(attributes)}"


def _unused(name: str, used: Container[str]) -> str:
    """The name, with a number if it is used already."""
    return next(each for each in chain([name], (f"{name} ({number})" for number in count_up(2))) if each not in used)


def _variant(leader: Rendition, groups: Mapping[str, str], sounds: Sequence[Rendition]) -> Iterable[str]:
    attributes = {
        "BANDWIDTH": str(leader.peak + max((each.peak for each in sounds), default=0)),
        "AVERAGE-BANDWIDTH": str(leader.average + max((each.average for each in sounds), default=0)),
    }
    if leader.codecs and all(each.codecs for each in sounds):
        codecs = dict.fromkeys([*leader.codecs, *(codec for each in sounds for codec in each.codecs)])
        attributes["CODECS"] = f'"{",".join(codecs)}"'
    attributes |= _pictures(leader)
    rate = frame_rate(leader.flow)
    if rate is not None:
        attributes["FRAME-RATE"] = f"{float(rate):.3f}"
    yield f"#EXT-X-STREAM-INF:{_list({**attributes, **groups})}"
    yield leader.uri


def _key_frames(rendition: Rendition, key_frames: KeyFrameRendition) -> str:
    attributes = {"BANDWIDTH": str(key_frames.peak)}
    pictures = [codec for codec in rendition.codecs if not codec.startswith(_SOUND)]
    if pictures:
        attributes["CODECS"] = f'"{",".join(pictures)}"'
    attributes |= {**_pictures(rendition), "URI": f'"{key_frames.uri}"'}
    return f"#EXT-X-I-FRAME-STREAM-INF:{_list(attributes)}"


def _pictures(rendition: Rendition) -> dict[str, str]:
    """What is said of pictures, whether they move or not."""
    attributes = {}
    pixels = resolution(rendition.flow)
    if pixels is not None:
        attributes["RESOLUTION"] = "{}x{}".format(*pixels)
    dynamic_range = parameter(rendition.flow, "transfer_characteristic")
    if dynamic_range in _RANGES:
        attributes["VIDEO-RANGE"] = dynamic_range
    return attributes


def _list(attributes: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in attributes.items())
