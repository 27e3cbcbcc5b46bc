"""Joins the two field pictures of a frame of H.264 (PAFF), which FFmpeg's libraries read as a packet each.

A frame must stay whole: a segment that began with its second field could not be decoded, and a sample of MP4 has both
(ISO/IEC 14496-15, 5.3.1). Headers are read as ITU-T H.264, 7.3.2.1.1 and 7.3.3, has them.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import av

from tams_server.client_media.parameter_sets import sets_of, unit_type, units

_SPS: Final = 7
_SLICES: Final = {1, 5}
_HEADER: Final = 32
"""Bytes in which the header of a slice has what is read here."""
_WITH_CHROMA: Final = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
"""Profiles that state the format of chroma."""


class _Bits:
    """Reads a NAL unit bit by bit, without the bytes that prevent start codes."""

    def __init__(self, unit: bytes) -> None:
        data = unit.replace(b"\0\0\3", b"\0\0")
        self._text = f"{int.from_bytes(data, 'big'):0{len(data) * 8}b}" if data else ""
        self._at = 8  # after the type of the unit

    def number(self, count: int) -> int:
        self._at += count
        return int(self._text[self._at - count : self._at] or "0", 2)

    def exp_golomb(self) -> int:
        one = self._text.find("1", self._at)
        if one < 0:
            raise ValueError("the header breaks off")
        zeros, self._at = one - self._at, one
        return self.number(zeros + 1) - 1

    def signed(self) -> int:
        found = self.exp_golomb()
        return (found + 1) // 2 if found % 2 else -(found // 2)


class FieldPairs:
    """Joins the packets of one stream of any codec. Packets that are no fields go through as they are."""

    def __init__(self, stream: Any) -> None:
        context = stream.codec_context
        self._config = bytes(context.extradata or b"")
        self._layout = _slice_layout(self._config) if context.codec.canonical_name == "h264" else None
        self._first: tuple[Any, tuple[int, int]] | None = None

    def joined(self, packets: Iterable[Any]) -> Iterator[Any]:
        """All packets of the stream, with a whole frame in each."""
        for packet in packets:
            yield from self.add(packet)
        yield from self.rest()

    def add(self, packet: Any) -> Iterator[Any]:
        """The packets that are complete with this one."""
        field = self._field(packet) if self._layout is not None and packet.size else None
        if self._first is not None:
            (first, (number, parity)), self._first = self._first, None
            if field == (number, 1 - parity):
                yield _pair(first, packet)
                return
            yield first
        if field is None:
            yield packet
        else:
            self._first = packet, field

    def rest(self) -> Iterator[Any]:
        """The field that has none to go with at the end."""
        if self._first is not None:
            yield self._first[0]
            self._first = None

    def _field(self, packet: Any) -> tuple[int, int] | None:
        """The number of the frame and the parity of a field; None for a frame, or what cannot be read."""
        assert self._layout is not None
        number_bits, planes = self._layout
        for unit in units(bytes(packet), self._config):
            if unit and unit_type(unit, "h264") in _SLICES:
                bits = _Bits(unit[:_HEADER])
                try:
                    for _ in range(3):  # the first macroblock, the type, the picture parameter set
                        bits.exp_golomb()
                except ValueError:
                    return None
                bits.number(2 if planes else 0)
                number = bits.number(number_bits)
                return (number, bits.number(1)) if bits.number(1) else None
        return None


def _pair(first: Any, second: Any) -> Any:
    found: av.Packet[Any] = av.Packet(bytes(first) + bytes(second))
    found.stream, found.time_base = first.stream, first.time_base
    found.pts, found.dts = first.pts, first.dts
    found.duration = (first.duration or 0) + (second.duration or 0)
    found.is_keyframe = first.is_keyframe
    return found


def _slice_layout(config: bytes) -> tuple[int, bool] | None:
    """The bits of a frame's number, and whether colour planes are separate; None if there are no fields."""
    try:
        for unit in sets_of(config, "h264"):
            if unit_type(unit, "h264") == _SPS:
                return _read_sps(_Bits(unit))
    except (ValueError, IndexError):
        pass  # a configuration that is cut off says nothing of fields
    return None


def _read_sps(bits: _Bits) -> tuple[int, bool] | None:
    profile = bits.number(8)
    bits.number(16)
    bits.exp_golomb()
    planes = _skip_chroma(bits) if profile in _WITH_CHROMA else False
    number_bits = bits.exp_golomb() + 4
    order = bits.exp_golomb()
    if order == 0:
        bits.exp_golomb()
    elif order == 1:
        bits.number(1)
        bits.signed()
        bits.signed()
        for _ in range(bits.exp_golomb()):
            bits.signed()
    bits.exp_golomb()
    bits.number(1)
    bits.exp_golomb()
    bits.exp_golomb()
    only_frames = bits.number(1)
    return None if only_frames else (number_bits, planes)


def _skip_chroma(bits: _Bits) -> bool:
    """Skip the format of chroma, depths and scaling lists. Returns whether colour planes are separate."""
    chroma = bits.exp_golomb()
    planes = bool(bits.number(1)) if chroma == 3 else False
    bits.exp_golomb()
    bits.exp_golomb()
    bits.number(1)
    if bits.number(1):
        for index in range(12 if chroma == 3 else 8):
            if bits.number(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return planes


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last
