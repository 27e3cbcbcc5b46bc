"""Boxes of MP4 files (ISO/IEC 14496-12), as far as playlists need them: tracks of an initialisation, and fragments."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from storage.playback.cut_points import MOST_UNITS, Unit
from storage.timerange import NS

_MOST_MOOF_BYTES: Final = 2**20
_MOST_BYTES_READ: Final = 2**22
"""Of all moof boxes of a file."""
_MOST_BOXES: Final = 4 * MOST_UNITS
_MOST_SAMPLES: Final = 200_000
"""In one file, though they need take no bytes."""
_MOST_SAMPLES_BEFORE_KEY: Final = 20_000
"""In the fragment of a key frame, whose place is told by the first."""
_NOT_SYNC: Final = 0x10000
"""The flag of a sample that is no key frame (8.8.3.1)."""
_DURATION, _SHIFT = 0x100, 0x800
"""The flags of a run whose samples have a duration each, and a difference between decoding and presentation."""
_LARGE: Final = 2**20


@dataclass(frozen=True, slots=True)
class Track:
    """The only track of an initialisation, with the defaults of its samples. timescale: ticks in a second."""

    timescale: int
    duration: int = 0
    size: int = 0
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Fragment:
    """The samples of a movie fragment.

    count: how many. time: of presentation of the first in the order of decoding; earliest, latest: of any. All in
    ticks. begins_with_key: whether the first sample is a key frame.
    first_end: where the first sample ends, in bytes from the beginning of the moof box.
    """

    count: int
    time: int
    earliest: int
    latest: int
    begins_with_key: bool
    first_end: int


def boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The kind of each box between two places, and where its content begins and ends (4.2)."""
    while start + 8 <= end:
        size, content = int.from_bytes(data[start : start + 4], "big"), start + 8
        if size == 1:
            size, content = int.from_bytes(data[content : content + 8], "big"), start + 16
        last = end if size == 0 else min(start + size, end)
        if last < content:
            return
        yield data[start + 4 : start + 8], content, last
        start = last


def boxes_at(data: bytes, *path: bytes) -> list[tuple[int, int]]:
    """Where the content of each box with this path begins and ends."""
    found = [(0, len(data))]
    for kind in path:
        found = [(first, last) for span in found for each, first, last in boxes(data, *span) if each == kind]
    return found


def read_track(init: bytes) -> Track | None:
    """The track of an initialisation; None if it is none, or has several tracks."""
    headers = boxes_at(init, b"moov", b"trak", b"mdia", b"mdhd")
    if len(headers) != 1:
        return None
    content = init[slice(*headers[0])]
    timescale = _number(content, 20 if content[:1] == b"\1" else 12)
    if not timescale:
        return None
    defaults = boxes_at(init, b"moov", b"mvex", b"trex")
    trex = init[slice(*defaults[0])] if len(defaults) == 1 else b""
    return Track(timescale, _number(trex, 12), _number(trex, 16), _number(trex, 20))


def read_fragment(data: bytes, track: Track, most_samples: int) -> Fragment | None:
    """The fragment of a moof box, of which data is the whole.

    None if it is not of one track, is damaged, or has more samples.
    """
    spans = boxes_at(data, b"moof", b"traf")
    if len(spans) != 1:
        return None
    inner = {kind: data[first:last] for kind, first, last in boxes(data, *spans[0])}
    runs = [data[first:last] for kind, first, last in boxes(data, *spans[0]) if kind == b"trun"]
    if b"tfhd" not in inner or b"tfdt" not in inner or not runs:
        return None
    header, at = inner[b"tfhd"], 8
    flags = _number(header, 0) & 0xFFFFFF
    if flags & 1:
        # Its data lies at a place of the whole file, which a part of it does not have.
        return None
    at += 4 if flags & 2 else 0
    given = []
    for bit, default in ((8, track.duration), (16, track.size), (32, track.flags)):
        given.append(_number(header, at) if flags & bit else default)
        at += 4 if flags & bit else 0
    decoding = inner[b"tfdt"]
    time = int.from_bytes(decoding[4:12] if decoding[:1] == b"\1" else decoding[4:8], "big")
    return _read_runs(runs, time, Track(track.timescale, *given), most_samples)


def _read_runs(runs: list[bytes], time: int, track: Track, most_samples: int) -> Fragment | None:
    """time: of decoding the first sample. track: with the defaults of this fragment (8.8.8)."""
    samples = 0
    presented: list[int] = []
    first: tuple[int, int] | None = None
    for run in runs:
        flags, count, at = _number(run, 0) & 0xFFFFFF, _number(run, 4), 8
        offset = _number(run, at) if flags & 1 else 0
        at += 4 if flags & 1 else 0
        first_flags = _number(run, at) if flags & 4 else None
        at += 4 if flags & 4 else 0
        width = 4 * (flags >> 8 & 0xF).bit_count()
        samples += count
        if samples > most_samples or at + count * width > len(run):
            return None
        if count and first is None:
            size = _number(run, at + (4 if flags & _DURATION else 0)) if flags & 0x200 else track.size
            own_flags = _number(run, at + 4 * (flags >> 8 & 3).bit_count()) if flags & 0x400 else track.flags
            first = (own_flags if first_flags is None else first_flags), offset + size if offset else 0
        times, time = _times(run, at, count, time, track.duration)
        presented += [*times[:1], min(times), max(times)] if times else ()
    if first is None or not first[1]:
        return None
    return Fragment(samples, presented[0], min(presented), max(presented), not first[0] & _NOT_SYNC, first[1])


def _times(run: bytes, at: int, count: int, time: int, duration: int) -> tuple[list[int], int]:
    """Presentation times of samples of a run, at least of the first and of both ends; and the time after all.

    at: the byte where the first is told. time: of decoding the first. duration: of those that tell none.
    """
    flags = _number(run, 0)
    if not flags & (_DURATION | _SHIFT):
        # However many they are, the first and the last tell all.
        end = time + count * duration
        return ([time, end - duration] if count else []), end
    width, times = 4 * (flags >> 8 & 0xF).bit_count(), []
    for place in range(at, at + count * width, width):
        shift = _number(run, place + width - 4) if flags & _SHIFT else 0
        if run[0] and shift >= 1 << 31:
            shift -= 1 << 32
        times.append(time + shift)
        time += _number(run, place) if flags & _DURATION else duration
    return times, time


def read_units(media: BinaryIO, track: Track, most_bytes: int, check: Callable[[], None]) -> list[Unit] | None:
    """The fragments of a file, each from the boxes before its moof on; None if they cannot be told apart.

    most_bytes: of a longer file. check: is called with each box, and may end the work by an error.
    """
    units: list[Unit] = []
    at = begin = samples = read = 0
    moof: bytes | None = None
    for number, (kind, size, content) in enumerate(_top_boxes(media)):
        check()
        at += size
        read += len(content)
        if at > most_bytes or len(units) >= MOST_UNITS or number > _MOST_BOXES or read > _MOST_BYTES_READ:
            return None
        if kind == b"moof":
            if moof is not None:
                return None
            moof = content
        if kind == b"mdat" and moof is not None:
            fragment = read_fragment(moof, track, _MOST_SAMPLES - samples)
            if fragment is None:
                return None
            samples += fragment.count
            is_start = fragment.begins_with_key and fragment.time == fragment.earliest
            ns = [time * NS // track.timescale for time in (fragment.earliest, fragment.latest)]
            units.append(Unit(begin, begin if is_start else None, *ns))
            begin, moof = at, None
    return units


def read_key_frame(media: BinaryIO, track: Track) -> tuple[int, int] | None:
    """The bytes of the first picture of a file, with the moof box before it, if it is a key frame.

    As the first byte and the one after the last. None if it is no key frame, or not near the beginning.
    """
    at = 0
    for kind, size, content in _top_boxes(media):
        if kind == b"moof":
            fragment = read_fragment(content, track, _MOST_SAMPLES_BEFORE_KEY)
            return None if fragment is None or not fragment.begins_with_key else (at, at + fragment.first_end)
        at += size
        if kind == b"mdat" or at > _LARGE:
            return None
    return None


def _top_boxes(media: BinaryIO) -> Iterator[tuple[bytes, int, bytes]]:
    """The kind and size of each box of a file, and all bytes of moof boxes; ends at what is no box, or too large."""
    while len(header := media.read(8)) == 8:
        size, kind = int.from_bytes(header[:4], "big"), header[4:]
        if size == 1:
            header += media.read(8)
            size = int.from_bytes(header[8:], "big")
        if size < len(header):
            return
        if kind == b"moof":
            if size > _MOST_MOOF_BYTES:
                return
            content = header + media.read(size - len(header))
            if len(content) < size:
                return
            yield kind, size, content
        else:
            yield kind, size, b""
            _skip(media, size - len(header))


def _skip(media: BinaryIO, count: int) -> None:
    if media.seekable():
        media.seek(count, 1)
        return
    while count > 0 and (piece := media.read(min(count, _LARGE))):
        count -= len(piece)


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")
