"""NAL units of H.264 and H.265, and the parameter sets that a decoder needs before the first of them.

Files of MP4 have lengths before units and the parameter sets in a configuration; MPEG-TS has start codes, and the
parameter sets in the stream (ISO/IEC 14496-15; ITU-T H.264 and H.265, annex B).
"""

from collections.abc import Iterator, Sequence
from typing import Final

START_CODE: Final = b"\0\0\0\1"
_AVC_SETS: Final = {7, 8}
_HEVC_SETS: Final = {32, 33, 34}
_AVC_IDR: Final = 5
_HEVC_CLEAN: Final = range(16, 22)


def unit_type(unit: bytes, codec: str) -> int:
    """The type of a NAL unit."""
    return unit[0] & 0x1F if codec == "h264" else unit[0] >> 1 & 0x3F


def units(data: bytes, config: bytes) -> Iterator[bytes]:
    """The NAL units of a frame. config: of the decoder, which says how they are separated."""
    size = _length_size(config)
    if not size:
        yield from _byte_stream(data)
        return
    at = 0
    while at + size <= len(data):
        length = int.from_bytes(data[at : at + size], "big")
        if length:
            yield data[at + size : at + size + length]
        at += size + length


def sets_of(config: bytes, codec: str) -> list[bytes]:
    """The parameter sets in a decoder's configuration, in either form."""
    if not _length_size(config):
        wanted = _AVC_SETS if codec == "h264" else _HEVC_SETS
        return [unit for unit in _byte_stream(config) if unit_type(unit, codec) in wanted]
    return list(_avc_config(config) if codec == "h264" else _hevc_config(config))


def byte_stream(data: bytes, config: bytes) -> bytes:
    """A frame with start codes, which it may have already."""
    if not _length_size(config):
        return data
    return joined(list(units(data, config)))


def joined(found: Sequence[bytes]) -> bytes:
    """NAL units, each after a start code."""
    return b"".join(START_CODE + unit for unit in found)


def is_clean_start(data: bytes, config: bytes, codec: str) -> bool:
    """Whether all that follows a key frame, apart from what is shown before it, can be decoded without what precedes.

    An IDR of H.264; an IDR, BLA or CRA of H.265. Any key frame of other codecs.
    """
    if codec not in ("h264", "hevc"):
        return True
    types = [unit_type(unit, codec) for unit in units(data, config) if unit]
    return _AVC_IDR in types if codec == "h264" else any(each in _HEVC_CLEAN for each in types)


def _length_size(config: bytes) -> int:
    """Bytes of the lengths before units; 0 with start codes."""
    if config[:1] != b"\x01":
        return 0
    # avcC has it in byte 4, hvcC, which is longer and has a reserved pattern in byte 13, in byte 21.
    is_hevc = len(config) > 23 and config[13] & 0xF0 == 0xF0 and config[15] & 0xFC == 0xFC
    return (config[21] if is_hevc else config[4]) % 4 + 1


def _byte_stream(data: bytes) -> Iterator[bytes]:
    at = data.find(b"\0\0\1")
    while at >= 0:
        following = data.find(b"\0\0\1", at + 3)
        unit = data[at + 3 : following if following >= 0 else len(data)]
        # Zeros before the next start code belong to it.
        yield unit.rstrip(b"\0") if following >= 0 else unit
        at = following


def _avc_config(config: bytes) -> Iterator[bytes]:
    at = 5
    for mask in (0x1F, 0xFF):
        count, at = config[at] & mask, at + 1
        for _ in range(count):
            length = int.from_bytes(config[at : at + 2], "big")
            yield config[at + 2 : at + 2 + length]
            at += 2 + length


def _hevc_config(config: bytes) -> Iterator[bytes]:
    at = 23
    for _ in range(config[22]):
        count = int.from_bytes(config[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            length = int.from_bytes(config[at : at + 2], "big")
            yield config[at + 2 : at + 2 + length]
            at += 2 + length
