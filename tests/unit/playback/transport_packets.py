"""Packets of MPEG transport streams, written by hand (ISO/IEC 13818-1)."""


def packet(pid: int, payload: bytes, *, starts: bool = True, key: bool = False) -> bytes:
    """A packet of a transport stream. key: whether it is a random access point."""
    head = bytes([0x47, pid >> 8 | (0x40 if starts else 0), pid & 0xFF, 0x30 if key else 0x10])
    return (head + (b"\1\x40" if key else b"") + payload).ljust(188, b"\xff")


def timed(pid: int, id_: int, ticks: int, data: bytes = b"", *, key: bool = False) -> bytes:
    """The beginning of a packet of an elementary stream with a presentation time."""
    written = bytes([0x21 | ticks >> 29 & 0xE, ticks >> 22 & 0xFF, ticks >> 14 & 0xFE | 1, ticks >> 7 & 0xFF])
    head = bytes([0, 0, 1, id_, 0, 0, 0x80, 0x80, 5])
    return packet(pid, head + written + bytes([ticks << 1 & 0xFE | 1]) + data, key=key)


def key_frame(ticks: int) -> bytes:
    tables = packet(0, b"\0\0\xb0\x0d" + bytes(5) + b"\0\1\xe1\0" + bytes(4)) + packet(0x100, b"\0\2")
    return tables + timed(0x101, 0xE0, ticks, key=True)
