"""The moving test pattern: every frame shows its number, both for people and for machines.

People read six digits at the top. Machines read two rows of sixteen large squares at the bottom: the bits of the
number, bright for one, and below them their complements. The squares are large and differ enough in brightness to
survive lossy coding; the second row detects pictures that contain no number.
"""

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 1280, 720

Plane = npt.NDArray[np.uint8]

_DARK, _BRIGHT = 24, 232
_BITS = 16
_SQUARE = 64
_SQUARES_LEFT, _SQUARES_TOP = (WIDTH - _BITS * _SQUARE) // 2, 528

# Five columns by seven rows for each digit, one string for each row of dots.
_DIGITS = (
    (".###.", "#...#", "#..##", "#.#.#", "##..#", "#...#", ".###."),
    ("..#..", ".##..", "#.#..", "..#..", "..#..", "..#..", "#####"),
    (".###.", "#...#", "....#", "..##.", ".#...", "#....", "#####"),
    (".###.", "#...#", "....#", "..##.", "....#", "#...#", ".###."),
    ("#..#.", "#..#.", "#..#.", "#####", "...#.", "...#.", "...#."),
    ("#####", "#....", "####.", "....#", "....#", "#...#", ".###."),
    (".###.", "#....", "#....", "####.", "#...#", "#...#", ".###."),
    ("#####", "....#", "...#.", "...#.", "..#..", "..#..", "..#.."),
    (".###.", "#...#", "#...#", ".###.", "#...#", "#...#", ".###."),
    (".###.", "#...#", "#...#", ".####", "....#", "....#", ".###."),
)
_DOT = 16
_DIGITS_TOP = 72


class UnreadableFrame(Exception):
    """The squares of a picture do not contain a frame number."""


def _background() -> Plane:
    """A diagonal luma ramp, 256 columns wider than the picture and repeating every 256, so that it can scroll."""
    rows, columns = np.arange(HEIGHT)[:, None], np.arange(WIDTH + 256)[None, :]
    ramp = np.abs((columns + rows // 2) % 256 - 128)
    luma: Plane = (48 + ramp).astype(np.uint8)
    return luma


def _chroma(phase: int) -> Plane:
    columns = np.arange(WIDTH // 2 + 256)
    wave = 128 + 40 * np.sin(2 * np.pi * (columns + phase) / 256)
    return np.broadcast_to(wave.astype(np.uint8), (HEIGHT // 2, len(columns)))


_LUMA, _BLUE, _RED = _background(), _chroma(0), _chroma(64)


def draw(number: int) -> Plane:
    """The picture with this frame number (0 to 65535) as planar YUV 4:2:0, 8 bit: an array of 1080 rows by 1280."""
    if not 0 <= number < 1 << _BITS:
        raise ValueError(f"frame number {number} does not fit in {_BITS} bits")
    scroll = number * 4 % 256
    luma = _LUMA[:, scroll : scroll + WIDTH].copy()
    _draw_digits(luma, number)
    _draw_squares(luma, number)
    halves = [plane[:, scroll : scroll + WIDTH // 2] for plane in (_BLUE, _RED)]
    return np.concatenate([luma, *(half.reshape(HEIGHT // 4, WIDTH) for half in halves)])


def read_number(luma: npt.NDArray[np.uint8]) -> int:
    """Read the frame number from a decoded picture's luma plane. Raises UnreadableFrame if there is none."""
    bits, complements = (_read_row(luma, row) for row in (0, 1))
    if bits ^ complements != (1 << _BITS) - 1:
        raise UnreadableFrame(f"the rows of squares read {bits:0{_BITS}b} and {complements:0{_BITS}b}, not complements")
    return bits


def _read_row(luma: Plane, row: int) -> int:
    top, inset = _SQUARES_TOP + row * _SQUARE, _SQUARE // 4
    value = 0
    for bit in range(_BITS):
        left = _SQUARES_LEFT + bit * _SQUARE
        core = luma[top + inset : top + _SQUARE - inset, left + inset : left + _SQUARE - inset]
        value = value << 1 | int(core.mean() > (_DARK + _BRIGHT) / 2)
    return value


def _draw_squares(luma: Plane, number: int) -> None:
    for row, value in enumerate((number, ~number)):
        dots = [value >> bit & 1 for bit in reversed(range(_BITS))]
        levels = np.where(np.array(dots, dtype=bool), _BRIGHT, _DARK).astype(np.uint8)
        top = _SQUARES_TOP + row * _SQUARE
        luma[top : top + _SQUARE, _SQUARES_LEFT : _SQUARES_LEFT + _BITS * _SQUARE] = levels.repeat(_SQUARE)


def _draw_digits(luma: Plane, number: int) -> None:
    rows = ["." + ".".join(_DIGITS[int(digit)][row] for digit in f"{number:06}") + "." for row in range(7)]
    rows = ["." * len(rows[0]), *rows, "." * len(rows[0])]
    dots = np.array([[dot == "#" for dot in row] for row in rows])
    plate = np.where(dots, _BRIGHT, _DARK).astype(np.uint8).repeat(_DOT, axis=0).repeat(_DOT, axis=1)
    left = (WIDTH - plate.shape[1]) // 2
    luma[_DIGITS_TOP : _DIGITS_TOP + plate.shape[0], left : left + plate.shape[1]] = plate
