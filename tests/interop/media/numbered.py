"""Small numbered pictures that survive lossy coding: a row of squares for the bits, and one for their complement."""

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TypeAlias

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer

WIDTH, HEIGHT = 256, 64

Plane: TypeAlias = npt.NDArray[np.uint8]

_BITS, _SIDE = 16, 16
_DARK, _BRIGHT = 24, 232


class UnreadableFrame(Exception):
    """A picture does not show a number."""


def draw(number: int) -> Plane:
    """The picture with this number (0 to 65535) as planar YUV 4:2:0, 8 bit."""
    luma = np.empty((HEIGHT, WIDTH), np.uint8)
    for row, value in enumerate((number, ~number)):
        bits = np.array([value >> bit & 1 for bit in reversed(range(_BITS))], dtype=bool)
        half = slice(row * HEIGHT // 2, (row + 1) * HEIGHT // 2)
        luma[half] = np.where(bits, _BRIGHT, _DARK).astype(np.uint8).repeat(_SIDE)
    return np.concatenate([luma, np.full((HEIGHT // 2, WIDTH), 128, np.uint8)])


def read(frame: av.VideoFrame) -> int:
    """The number of a decoded picture. Raises UnreadableFrame."""
    luma = np.asarray(frame.to_ndarray(format="gray"), np.uint8)
    number, complement = (_read_row(luma[row * HEIGHT // 2 : (row + 1) * HEIGHT // 2]) for row in (0, 1))
    if number ^ complement != (1 << _BITS) - 1:
        raise UnreadableFrame(f"the rows read {number:016b} and {complement:016b}, which are not complements")
    return number


def encode(output: OutputContainer, numbers: Iterable[int], rate: Fraction, gop: int) -> None:
    """Add these pictures as H.264 with a closed group of `gop` pictures after each key frame, each with a B-frame.

    The first picture is at the time `numbers[0]`, in frames.
    """
    options = {"preset": "ultrafast", "g": str(gop), "keyint_min": str(gop), "sc_threshold": "0", "bf": "1"}
    stream = output.add_stream("libx264", rate=rate, options={**options, "b_strategy": "0", "flags": "+cgop"})
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    for number in numbers:
        frame = av.VideoFrame.from_ndarray(draw(number), format="yuv420p")
        frame.pts, frame.time_base = number, 1 / rate
        output.mux(stream.encode(frame))
    output.mux(stream.encode())


def _read_row(half: Plane) -> int:
    squares = half[4:-4].reshape(-1, _BITS, _SIDE)[:, :, 4:-4]
    return sum(int(level > (_DARK + _BRIGHT) / 2) << bit for bit, level in enumerate(squares.mean(axis=(0, 2))[::-1]))


def decoded(media: bytes, format_: str) -> Iterator[tuple[int, Fraction]]:
    """The number of each picture of a file, with its time on the file's timeline in seconds."""
    with av.open(io.BytesIO(media), "r", format=format_) as source:
        for frame in source.decode(video=0):
            assert frame.pts is not None and frame.time_base is not None
            yield read(frame), frame.pts * frame.time_base
