"""MPEG transport streams (ISO/IEC 13818-1), as far as playlists need them: where pictures and sound begin in a file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import BinaryIO, Final, Literal

from storage.playback.cut_points import MOST_UNITS, Companion, Packet, Unit
from storage.playback.sound_frames import LONGEST_NS, sound_frame_ns
from storage.timerange import NS

PACKET_BYTES: Final = 188
CLOCK: Final = 90_000
WRAP: Final = 1 << 33
"""Ticks of the clock after which timestamps start again from 0."""
_CHUNK_BYTES: Final = PACKET_BYTES * 500
_START_CODE: Final = b"\0\0\1"
_IDS: Final = {"video": range(0xE0, 0xF0), "audio": (*range(0xC0, 0xE0), 0xBD)}
"""Of the streams of each kind (2.4.3.7); private ones hold AC-3."""
_WITH_TIME: Final = frozenset((*_IDS["video"], *_IDS["audio"], 0xFC, 0xFD))
"""Of all streams that are presented at a time."""
_MOST_STREAMS: Final = 16

Kind = Literal["video", "audio"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, or frames of sound: a packet of an elementary stream.

    at: the byte of its first transport packet. begin: the byte of the tables before it, from which a player can begin
    with it; None if it cannot. ticks: its presentation time as it is written.
    """

    at: int
    begin: int | None
    ticks: int


@dataclass(slots=True)
class _Stream:
    """Another stream. starts: where its packets begin, and their times in ticks. ends: where the last piece of each is.

    frame_ns: the duration of its frames; None if no header tells it.
    """

    id: int
    frame_ns: int | None
    starts: list[tuple[int, int]] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)


def read_pictures(
    media: BinaryIO, kind: Kind, most_bytes: int, check: Callable[[], None], others: dict[int, _Stream] | None = None
) -> Iterator[Picture]:
    """The pictures of a file, or its sound, in the order of the file.

    check: is called with every few hundred packets, and may end the work by an error. others: is filled with the other
    streams, by PID.

    Raises: ValueError at a place that is not such a stream, if there are several of the kind, for a picture without a
    time, and for a file longer than most_bytes; also for others without a time, or too many of them.
    """
    own: int | None = None
    tables: set[int] = set()
    begin: int | None = None
    has_tables = False
    for at, packet in _packets(media, most_bytes, check):
        pid, starts = (packet[1] & 0x1F) << 8 | packet[2], packet[1] & 0x40
        if not pid and starts:
            begin, has_tables, tables = at, False, _table_pids(_payload(packet))
        elif pid in tables:
            has_tables = has_tables or bool(starts)
        elif packet[3] & 0x10:
            payload = _payload(packet) if starts else b""
            if payload[:3] == _START_CODE and len(payload) > 3:
                if payload[3] in _IDS[kind]:
                    if own not in (None, pid):
                        raise ValueError("several streams of the kind")
                    own = pid
                    can_begin = has_tables and (kind == "audio" or _is_random_access(packet))
                    yield Picture(at, begin if can_begin else None, _presentation_time(payload))
                elif others is not None and payload[3] in _WITH_TIME:
                    _add(others, pid, at, payload)
            elif others and pid in others:
                others[pid].ends[-1] = at
            if pid == own:
                begin, has_tables = None, False


def _add(others: dict[int, _Stream], pid: int, at: int, payload: bytes) -> None:
    """Raises: ValueError."""
    if pid not in others:
        others[pid] = _Stream(payload[3], sound_frame_ns(payload[9 + payload[8] :]) if len(payload) > 8 else None)
    others[pid].starts.append((at, _presentation_time(payload)))
    others[pid].ends.append(at)
    if len(others) > _MOST_STREAMS or len(others[pid].starts) > MOST_UNITS:
        raise ValueError("too much beside the kind")


def read_units(
    media: BinaryIO, kind: Kind, most_bytes: int, check: Callable[[], None]
) -> tuple[list[Unit], list[Companion]] | None:
    """The pictures of a file, or its sound, with times that do not start again; and the other streams.

    None if they cannot be told apart, are too many, or if the file is longer than most_bytes. check: as for
    `read_pictures`.
    """
    units: list[Unit] = []
    others: dict[int, _Stream] = {}
    first: int | None = None
    try:
        for each in read_pictures(media, kind, most_bytes, check, others):
            first = each.ticks if first is None else first
            ns = _ns(each.ticks, first)
            units.append(Unit(each.at, each.begin, ns, ns))
            if len(units) > MOST_UNITS:
                return None
    except ValueError:
        return None
    return units, [_companion(each, first or 0) for each in others.values()]


def _companion(stream: _Stream, first: int) -> Companion:
    packets = [
        Packet(at, last, _ns(ticks, first)) for (at, ticks), last in zip(stream.starts, stream.ends, strict=True)
    ]
    frame_ns = stream.frame_ns
    if frame_ns is None or stream.id in _IDS["video"]:
        times = sorted({each.time for each in packets})
        frame_ns = min((after - before for before, after in pairwise(times)), default=0)
        frame_ns = frame_ns if stream.id in _IDS["video"] else min(frame_ns, LONGEST_NS)
    return Companion(packets, frame_ns)


def _ns(ticks: int, first: int) -> int:
    """A time that has not started again since `first`, or not yet."""
    return (first + (ticks - first + WRAP // 2) % WRAP - WRAP // 2) * NS // CLOCK


def read_key_frame(media: BinaryIO, most_bytes: int, check: Callable[[], None]) -> tuple[int, int | None] | None:
    """The bytes of the first picture of a file, with the tables before it, if it is a key frame.

    As the first byte and the one after the last, which is None for a picture that ends with the file. None if it is
    no key frame, or does not end within most_bytes. check: as for `read_pictures`.
    """
    try:
        pictures = read_pictures(media, "video", most_bytes, check)
        first, second = next(pictures, None), next(pictures, None)
    except ValueError:
        return None
    if first is None or first.begin is None:
        return None
    return first.begin, None if second is None else second.at


def _packets(media: BinaryIO, most_bytes: int, check: Callable[[], None]) -> Iterator[tuple[int, bytes]]:
    """Each packet, with its place. Raises: ValueError as `read_pictures`."""
    at = 0
    while chunk := media.read(_CHUNK_BYTES):
        check()
        for start in range(0, len(chunk) - PACKET_BYTES + 1, PACKET_BYTES):
            if chunk[start] != 0x47:
                raise ValueError("not a transport packet")
            yield at + start, chunk[start : start + PACKET_BYTES]
        at += len(chunk)
        if at > most_bytes:
            raise ValueError("too long")


def _payload(packet: bytes) -> bytes:
    return packet[5 + packet[4] if packet[3] & 0x20 else 4 :]


def _table_pids(payload: bytes) -> set[int]:
    """Where the tables of programmes are, by the table of these (2.4.4.3), which is in one packet."""
    section = payload[1 + payload[0] :] if payload else b""
    end = 3 + (int.from_bytes(section[1:3], "big") & 0xFFF) - 4
    entries = (section[at : at + 4] for at in range(8, min(end, len(section) - 3), 4))
    return {int.from_bytes(entry[2:], "big") & 0x1FFF for entry in entries if entry[:2] != b"\0\0"}


def _is_random_access(packet: bytes) -> bool:
    return bool(packet[3] & 0x20 and packet[4] and packet[5] & 0x40)


def _presentation_time(payload: bytes) -> int:
    """The presentation time of a packet of an elementary stream, in ticks (2.4.3.7). Raises: ValueError without one."""
    if len(payload) < 14 or not payload[7] & 0x80:
        raise ValueError("a picture without a time")
    field = payload[9:14]
    return (field[0] >> 1 & 7) << 30 | field[1] << 22 | (field[2] >> 1) << 15 | field[3] << 7 | field[4] >> 1
