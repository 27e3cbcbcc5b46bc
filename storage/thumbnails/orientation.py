"""How a picture is turned to be shown, as cameras that are held upright write it beside the picture."""

import struct
from dataclasses import dataclass
from typing import Final

import av
from av.sidedata.sidedata import SideData

_MATRIX: Final = struct.Struct("=9i")
"""[[a, b, u], [c, d, v], [x, y, w]]: the point (p, q) is shown at (ap + cq + x, bp + dq + y) (ISO/IEC 14496-12)."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """transposed: rows become columns. Then, mirrored: left to right; flipped: top to bottom."""

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    def apply(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The picture, as it is shown. frame: planar, with a byte for each sample."""
        if self == Orientation():
            return frame
        size = (frame.height, frame.width) if self.transposed else (frame.width, frame.height)
        shown = av.VideoFrame(*size, frame.format.name)
        for source, target in zip(frame.planes, shown.planes, strict=True):
            rows = self._turn(bytes(source), source.line_size, source.width, source.height)
            target.update(b"".join(row.ljust(target.line_size, b"\0") for row in rows))
        shown.colorspace, shown.color_range = frame.colorspace, frame.color_range
        return shown

    def _turn(self, samples: bytes, line: int, width: int, height: int) -> list[bytes]:
        """The rows of a plane. line: bytes from one row to the next."""
        if self.transposed:
            rows = [samples[column : line * height : line] for column in range(width)]
        else:
            rows = [samples[row * line : row * line + width] for row in range(height)]
        if self.mirrored:
            rows = [row[::-1] for row in rows]
        return rows[::-1] if self.flipped else rows


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """How a picture is to be turned, to the nearest right angle."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, SideData) or matrix.buffer_size != _MATRIX.size:
        return Orientation()
    a, b, _, c, d, *_ = _MATRIX.unpack(bytes(matrix))
    if abs(b) > abs(a):
        return Orientation(transposed=True, mirrored=c < 0, flipped=b < 0)
    return Orientation(mirrored=a < 0, flipped=d < 0)
