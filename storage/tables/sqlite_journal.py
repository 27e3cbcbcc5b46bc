"""Whether the journal of an SQLite file has all that its index says, for one that has become smaller.

A checkpoint of another program with the mode TRUNCATE, as tools for replication and backup make, moves all of the
journal into the database and leaves no bytes of it, or few once something was written since. Then nothing is lost.
"""

import os
import struct
from pathlib import Path
from typing import NamedTuple, Self

_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
_SALT_AT = 16
_SALT_BYTES = 8
_INDEX = struct.Struct("=12xBxHI12x8s8x")
"""The header of the index (https://sqlite.org/walformat.html, 2.1), of which there are two copies."""
_ATTEMPTS = 3
"""Another program may make a checkpoint between two looks."""

_opened: dict[tuple[int, int], int] = {}
"""Descriptors of indexes, by device and inode. They stay open: closing one would release SQLite's locks on the file."""


class _IndexHeader(NamedTuple):
    """bytes_used: of the journal, at least. salt: of its header."""

    bytes_used: int
    salt: bytes

    @classmethod
    def read(cls, name: str) -> "Self | None":
        """The header of an index; None if it is not complete. Raises OSError."""
        data = os.pread(_descriptor(name), 2 * _INDEX.size, 0)
        if len(data) < 2 * _INDEX.size or data[: _INDEX.size] != data[_INDEX.size :]:
            return None
        is_complete, page, frames, salt = _INDEX.unpack_from(data)
        page = (page & 0xFE00) + ((page & 1) << 16)
        used = frames and _HEADER_BYTES + frames * (_FRAME_HEADER_BYTES + page)
        return cls(used, salt) if is_complete else None


def is_whole(journal: str, index: str) -> bool:
    """Whether a journal has all the bytes in use, and is the one of its index. A connection to the database is open."""
    return any(_is_whole(journal, index) for _ in range(_ATTEMPTS))


def _is_whole(journal: str, index: str) -> bool:
    try:
        header = _IndexHeader.read(index)
        if header is None:
            return False
        with Path(journal).open("rb") as file:
            size, start = os.fstat(file.fileno()).st_size, file.read(_HEADER_BYTES)
    except OSError:
        return False
    is_its = not header.bytes_used or start[_SALT_AT : _SALT_AT + _SALT_BYTES] == header.salt
    return is_its and size >= header.bytes_used


def _descriptor(name: str) -> int:
    status = os.stat(name)
    identity = status.st_dev, status.st_ino
    if identity not in _opened:
        _opened[identity] = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    return _opened[identity]
