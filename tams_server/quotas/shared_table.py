"""A table of a fixed size in memory that all processes of a server share: a few numbers for each of many keys."""

import hashlib
import mmap
import secrets
import struct
from typing import Any, Final, NamedTuple

_SETS: Final = 4096
_WAYS: Final = 4


class KeyDigests:
    """Numbers of 64 bits that stand for keys, which may be as long as a header.

    They depend on a secret, so that nobody can choose keys that take the places of another one.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(16)

    def of(self, key: str) -> int:
        encoded = key.encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(encoded, digest_size=8, key=self._secret).digest())


class Place(NamedTuple):
    """Where the record of a key is, or will be written. numbers: of the record; None if there is none."""

    offset: int
    digest: int
    numbers: tuple[Any, ...] | None


class SharedTable:
    """Records for the processes that are forked from this one.

    The first number of a record says how recent it is. A key has 4 places; where they are taken, the least recent
    record makes room, so that of more than 16,384 keys some are forgotten. Processes do not lock each other out: of two
    changes of a record in the same microsecond, one may be lost.
    """

    def __init__(self, numbers: str) -> None:
        """numbers: of a record, as the struct module writes their types."""
        self._digests = KeyDigests()
        self._record = struct.Struct(f"=Q{numbers}")
        self._memory = mmap.mmap(-1, _SETS * _WAYS * self._record.size)

    def find(self, key: str) -> Place:
        digest, size = self._digests.of(key), self._record.size
        start = digest % _SETS * _WAYS * size
        offset, oldest = start, None
        for each in range(start, start + _WAYS * size, size):
            held, *numbers = self._record.unpack_from(self._memory, each)
            if held == digest:
                return Place(each, digest, tuple(numbers))
            if oldest is None or numbers[0] < oldest:
                offset, oldest = each, numbers[0]
        return Place(offset, digest, None)

    def write(self, place: Place, *numbers: float) -> None:
        self._record.pack_into(self._memory, place.offset, place.digest, *numbers)
