"""Codecs as players expect them (RFC 6381), from the metadata of a flow or from the first bytes of its media."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from storage.playback.essence import parameter, whole_number
from storage.playback.mp4 import boxes

HEAD_BYTES: Final = 188 * 1000
"""How much of a media object is read: the first key frame, with its parameters, begins a segment."""
_PACKET_BYTES: Final = 188
_NAMES: Final = {"audio/ac3": "ac-3", "audio/eac3": "ec-3", "audio/opus": "Opus", "audio/flac": "fLaC"}
_SOUND: Final = {**_NAMES, "audio/mpeg": "mp4a.40.34", "audio/mp3": "mp4a.40.34"}
_ABOVE_ENTRIES: Final = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_BEFORE_ENTRIES_BYTES: Final = 8
"""In a sample description box: version, flags and the number of entries."""
_MOST_ENTRIES: Final = 8
"""Of which the codecs are listed."""
_ENTRIES: Final = {b"ac-3": "ac-3", b"ec-3": "ec-3", b"Opus": "Opus", b"fLaC": "fLaC"}
_ENCRYPTED: Final = (b"encv", b"enca")
_CONFIGURATION_BYTES: Final = 100
"""How much of a decoder's configuration says which codec it is."""
_PICTURES: Final = 0b1110
_SOUND_STREAM: Final = 0b110
"""The first bits of the id of a stream."""
_START_CODE: Final = b"\0\0\1"
_AVC_SPS: Final = 7
_HEVC_SPS: Final = 33


def codecs_of_flow(flow: Mapping[str, Any]) -> list[str]:
    """The codecs that the metadata of a flow says; empty if it does not say enough. flow: its document."""
    codec = (flow.get("codec") or "").lower()
    if codec == "video/h264":
        values = [whole_number(parameter(flow, "avc_parameters", name)) for name in ("profile", "flags", "level")]
        known = [value for value in values if value is not None and value < 256]
        if len(known) == len(values):
            return ["avc1." + bytes(known).hex()]
    object_type = whole_number(parameter(flow, "codec_parameters", "mp4_oti"))
    if codec in ("audio/aac", "audio/mp4a-latm") and object_type:
        return [f"mp4a.40.{object_type}"]
    if codec == "text/vtt":
        return ["wvtt"]
    return [_SOUND[codec]] if codec in _SOUND else []


def codecs_of_init(init: bytes) -> list[str]:
    """The codecs of an initialisation of fragmented MP4, by its sample entries (ISO/IEC 14496-12, -14, -15)."""
    entries = islice(_sample_entries(init, 0, len(init), _ABOVE_ENTRIES), _MOST_ENTRIES)
    return list(dict.fromkeys(codec for entry in entries for codec in _codecs_of_entry(init, *entry)))


def _sample_entries(data: bytes, start: int, end: int, path: Sequence[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of all sample entries between two places, as `boxes` returns them. path: of the boxes around them."""
    for kind, first, last in boxes(data, start, end):
        if kind == path[0] == b"stsd":
            yield from boxes(data, first + _BEFORE_ENTRIES_BYTES, last)
        elif kind == path[0]:
            yield from _sample_entries(data, first, last, path[1:])


def _codecs_of_entry(data: bytes, kind: bytes, start: int, end: int) -> list[str]:
    """The codecs of a sample entry, whose content is between two places; of its original format if it is encrypted."""
    if kind in _ENCRYPTED:
        at = data.find(b"frma", start, end)
        kind = data[at + 4 : min(at + 8, end)] if at >= 0 else kind
    if kind in _ENTRIES:
        return [_ENTRIES[kind]]
    for name in (b"avcC", b"hvcC", b"esds"):
        at = data.find(name, start, end)
        content = data[at + 4 : min(at + 4 + _CONFIGURATION_BYTES, end)] if at >= 0 else b""
        if name == b"avcC" and len(content) > 4:
            return [f"{'avc3' if kind == b'avc3' else 'avc1'}.{content[1:4].hex()}"]
        if name == b"hvcC" and len(content) > 13:
            return [_hevc("hev1" if kind == b"hev1" else "hvc1", content[1:13])]
        if name == b"esds" and content:
            return _mpeg4_sound(content)
    return []


def codecs_of_transport_stream(media: bytes) -> list[str]:
    """The codecs at the beginning of an MPEG transport stream: of its first pictures and its first sound."""
    pictures: list[str] = []
    sound: list[str] = []
    for stream in _elementary_streams(media).values():
        if stream[3] >> 4 == _PICTURES:
            pictures += _codecs_of_pictures(stream)
        elif stream[3] >> 5 == _SOUND_STREAM:
            sound += _codecs_of_adts(stream)
    return [*pictures[:1], *sound[:1]]


def _elementary_streams(media: bytes) -> dict[int, bytes]:
    """The beginning of each elementary stream, from its first packet (PES) on, by PID (ISO/IEC 13818-1)."""
    streams: dict[int, bytearray] = {}
    for at in range(0, len(media) - _PACKET_BYTES + 1, _PACKET_BYTES):
        packet = media[at : at + _PACKET_BYTES]
        if packet[0] != 0x47 or not packet[3] & 0x10:
            continue
        payload = packet[5 + packet[4] if packet[3] & 0x20 else 4 :]
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        if pid in streams:
            streams[pid] += payload
        elif packet[1] & 0x40 and payload.startswith(_START_CODE) and len(payload) > 9:
            streams[pid] = bytearray(payload)
    return {pid: bytes(stream) for pid, stream in streams.items()}


def _codecs_of_pictures(stream: bytes) -> list[str]:
    """The codecs of the sequence parameter sets of H.264 or H.265, whichever has some first."""
    for match in re.finditer(_START_CODE, stream[9:]):
        unit = stream[9 + match.end() : 9 + match.end() + 40]
        if len(unit) < 24:
            break
        if unit[0] & 0x9F == _AVC_SPS and unit[0] & 0x60:
            return ["avc1." + unit[1:4].hex()]
        if unit[0] >> 1 == _HEVC_SPS and unit[1] == 1:
            return [_hevc("hvc1", unit.replace(b"\0\0\3", b"\0\0")[3:15])]
    return []


def _codecs_of_adts(stream: bytes) -> list[str]:
    start = stream.find(b"\xff", 9 + stream[8])
    if start < 0 or len(stream) < start + 3 or stream[start + 1] & 0xF6 != 0xF0:
        return []
    return [f"mp4a.40.{(stream[start + 2] >> 6) + 1}"]


def _hevc(entry: str, general: bytes) -> str:
    """general: the twelve bytes of profile, tier and level (ISO/IEC 14496-15, annex E)."""
    space = ("", "A", "B", "C")[general[0] >> 6]
    compatibility = int(f"{int.from_bytes(general[1:5], 'big'):032b}"[::-1], 2)
    tier = "H" if general[0] & 0x20 else "L"
    constraints = [f"{byte:X}" for byte in general[5:11].rstrip(b"\0")]
    return ".".join([entry, f"{space}{general[0] & 0x1F}", f"{compatibility:X}", f"{tier}{general[11]}", *constraints])


def _mpeg4_sound(esds: bytes) -> list[str]:
    """The codec in an elementary stream descriptor: the object types of its configuration (ISO/IEC 14496-1)."""
    match = re.search(rb"\x04(?:[\x80-\xff]{0,3}[\0-\x7f])(.)", esds[:64], re.DOTALL)
    if match is None:
        return []
    if match[1] != b"\x40":
        return [f"mp4a.{match[1].hex()}"]
    following = esds[match.end() + 12 : match.end() + 24]
    specific = re.search(rb"\x05(?:[\x80-\xff]{0,3}[\0-\x7f])(.)(.)", following, re.DOTALL)
    if specific is None:
        return []
    object_type = specific[1][0] >> 3
    if object_type == 31:
        object_type = 32 + ((specific[1][0] & 7) << 3 | specific[2][0] >> 5)
    return [f"mp4a.40.{object_type}"]
