"""Checksums of media: those that a server tells in the headers of a response, and those of bytes as they pass.

Known are Content-MD5, Repr-Digest and Content-Digest (RFC 9530), the x-amz-checksum-* headers of S3, x-goog-hash, and
an ETag that has the form of an MD5.
"""

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

_SINGLE = {
    "content-md5": "md5",
    "x-amz-checksum-sha256": "sha-256",
    "x-amz-checksum-sha1": "sha",
    "x-amz-checksum-crc32": "crc32",
}
_LISTS = ("repr-digest", "content-digest", "x-goog-hash")
_ITEM = re.compile(r"\s*([a-z0-9-]+)=:?([A-Za-z0-9+/]+=*):?\s*")
_MD5_ETAG = re.compile(r'"([0-9a-f]{32})"')


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_HASHES: dict[str, Callable[[], _Hash]] = {
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "sha": lambda: hashlib.sha1(usedforsecurity=False),
    "sha-256": hashlib.sha256,
    "crc32": _Crc32,
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a server says about the bytes of an object.

    size: in bytes; None if it does not say. digests: by algorithm, as RFC 9530 names them. etag: the MD5 that the ETag
    seems to be. A store that encrypts or joins parts has other ETags of this form, so that an equal one proves that the
    bytes are equal, and an unequal one proves nothing.
    """

    size: int | None = None
    digests: Mapping[str, bytes] = field(default_factory=dict)
    etag: bytes | None = None


def told(headers: Mapping[str, str]) -> Told:
    """Read the headers of a response, by lower-case name, whose body is a whole object. Ignores what it cannot read."""
    length, etag = headers.get("content-length", ""), _MD5_ETAG.fullmatch(headers.get("etag", ""))
    return Told(
        int(length) if length.isdecimal() else None,
        dict(_digests(headers)),
        bytes.fromhex(etag[1]) if etag else None,
    )


def _digests(headers: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    items = [(algorithm, headers[name]) for name, algorithm in _SINGLE.items() if name in headers]
    for name in _LISTS:
        found = (_ITEM.fullmatch(item) for item in headers.get(name, "").split(","))
        items += [(match[1], match[2]) for match in found if match]
    for algorithm, text in items:
        make = _HASHES.get(algorithm)
        try:
            value = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue  # of a composite checksum of S3, which ends in the number of parts
        if make and len(value) == len(make().digest()):
            yield algorithm, value


class Digest:
    """The size and the checksums of bytes that pass: MD5, SHA-256 and those of `algorithms` that are known."""

    def __init__(self, *algorithms: str) -> None:
        wanted = {"md5", "sha-256", *algorithms}
        self._hashes = {name: make() for name, make in _HASHES.items() if name in wanted}
        self.size = 0

    def update(self, data: bytes) -> None:
        """Add the next bytes."""
        self.size += len(data)
        for each in self._hashes.values():
            each.update(data)

    def value(self, algorithm: str) -> bytes:
        """The checksum so far, by one of the algorithms."""
        return self._hashes[algorithm].digest()

    def difference(self, other: Told) -> str | None:
        """In which respect these bytes are not those that a server describes; None if in none that it tells."""
        if other.size is not None and other.size != self.size:
            return f"{self.size:,} bytes instead of {other.size:,}"
        for algorithm, value in other.digests.items():
            if algorithm in self._hashes and self.value(algorithm) != value:
                return f"the {algorithm} {self.value(algorithm).hex()} instead of {value.hex()}"
        return None

    def is_proven_by(self, other: Told) -> bool:
        """Whether a checksum that a server tells is that of these bytes."""
        if other.etag == self.value("md5"):
            return True
        return any(algorithm in self._hashes for algorithm in other.digests) and self.difference(other) is None


def digest_of(media: bytes) -> Digest:
    """The size and the checksums of bytes in memory."""
    digest = Digest()
    digest.update(media)
    return digest
