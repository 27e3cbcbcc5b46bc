"""H.264 whose fields are pictures of their own (PAFF), as broadcast encoders make it and no encoder in PyAV does.

All samples are written as they are (I_PCM), so that what is decoded is known. Syntax: ITU-T H.264, 7.3.
"""

import io
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

_COLUMNS, _ROWS, _GOP = 5, 2, 10
"""Macroblocks of a field; frames from one IDR picture to the next."""
_RATE = 25


def luma(frame: int, field: int) -> int:
    """The luma of the first macroblock of a field. field: 0 for the top one, 1 for the bottom one."""
    return 20 + (frame * 7 + field * 3) % 190


def write(path: Path, frames: int) -> Path:
    """Write MPEG-TS of so many frames, 25 a second, each field with its time."""
    raw = b"".join(_field(frame, field) for frame in range(_GOP) for field in (0, 1))
    with av.open(io.BytesIO(raw), format="h264") as template, av.open(str(path), "w", format="mpegts") as output:
        track = output.add_stream_from_template(template.streams.video[0])
        for frame in range(frames):
            for field in (0, 1):
                packet: av.Packet[Any] = av.Packet(_field(frame, field))
                packet.pts = packet.dts = 2 * frame + field
                packet.time_base, packet.stream = Fraction(1, 2 * _RATE), track
                packet.is_keyframe = frame % _GOP == 0 and not field
                output.mux(packet)
    return path


class _Bits:
    def __init__(self) -> None:
        self.text = ""

    def fixed(self, *values: tuple[int, int]) -> "_Bits":
        """Add values, each with its number of bits."""
        self.text += "".join(f"{value:0{count}b}" for value, count in values)
        return self

    def golomb(self, *values: int) -> "_Bits":
        for value in values:
            self.text += "0" * ((value + 1).bit_length() - 1) + f"{value + 1:b}"
        return self

    def samples(self, data: bytes) -> None:
        self.text += "0" * (-len(self.text) % 8) + "".join(f"{each:08b}" for each in data)

    def unit(self, head: int) -> bytes:
        """The NAL unit of a type, after a start code."""
        text = self.text + "1"
        text += "0" * (-len(text) % 8)
        data = int(text, 2).to_bytes(len(text) // 8, "big")
        return b"\0\0\0\1" + bytes([head]) + re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", data)


def _sets() -> bytes:
    sps = _Bits().fixed((77, 8), (0, 8), (30, 8)).golomb(0, 4, 0, 4, 1).fixed((0, 1))
    sps.golomb(_COLUMNS - 1, _ROWS - 1)
    sps.fixed((0, 1), (0, 1), (1, 1), (0, 1))  # fields, none of them in macroblocks
    sps.fixed((1, 1), (0, 4), (1, 1), (1, 32), (2 * _RATE, 32), (1, 1), (0, 3), (1, 1), (1, 1))
    sps.golomb(0, 0, 9, 9, 0, 1)  # nothing is reordered
    pps = _Bits().golomb(0, 0).fixed((0, 2)).golomb(0, 0, 0).fixed((0, 3)).golomb(0, 0, 0).fixed((1, 1), (0, 2))
    return sps.unit(0x67) + pps.unit(0x68)


def _field(frame: int, field: int) -> bytes:
    """An access unit: a delimiter, parameter sets before an IDR picture, and a slice."""
    number = frame % _GOP
    is_idr = not number and not field
    piece = _Bits().golomb(0, 7, 0).fixed((number, 8), (1, 1), (field, 1))
    if is_idr:
        piece.golomb(frame // _GOP % 2)
    piece.fixed((2 * number + field, 8), (0, 2 if is_idr else 1)).golomb(0, 1)
    for _ in range(_COLUMNS * _ROWS):
        piece.golomb(25)
        piece.samples(bytes([luma(frame, field)]) * 256 + bytes([128]) * 128)
    return _Bits().fixed((7, 3)).unit(9) + (_sets() if is_idr else b"") + piece.unit(0x65 if is_idr else 0x61)
