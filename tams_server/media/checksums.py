"""Checksums that a client sends with an upload, so that bytes damaged in transit are rejected (INT-01, INT-02)."""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from storage.errors import Invalid

_MD5 = "content-md5"


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
    "x-amz-checksum-sha256": hashlib.sha256,
    "x-amz-checksum-sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "x-amz-checksum-crc32": _Crc32,
}
_LENGTHS = {_MD5: 16, "x-amz-checksum-sha256": 32, "x-amz-checksum-sha1": 20, "x-amz-checksum-crc32": 4}


class Checksums:
    """The checksums in the headers of an upload: Content-MD5, x-amz-checksum-sha256, -sha1 and -crc32.

    Headers of other algorithms are ignored.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        """headers: by lower-case name. Raises storage.errors.Invalid for a value that is not valid base64."""
        self._expected = {name: _decode(name, headers[name]) for name in _LENGTHS if name in headers}
        self._hashes = {name: make() for name, make in _HASHES.items() if name in self._expected}

    def update(self, data: bytes) -> None:
        """Add the next bytes of the upload."""
        for hash_ in self._hashes.values():
            hash_.update(data)

    def verify(self, md5: str) -> None:
        """Raises storage.errors.Invalid if a checksum does not match the uploaded bytes. md5: of these, in hex."""
        actual = {_MD5: bytes.fromhex(md5)} | {name: hash_.digest() for name, hash_ in self._hashes.items()}
        for name, expected in self._expected.items():
            if actual[name] != expected:
                raise Invalid(
                    f"{name} {_encode(expected)} does not match the bytes received ({_encode(actual[name])}); "
                    "nothing was stored",
                    field=name,
                    behaviour="INT-02",
                )


def _decode(name: str, text: str) -> bytes:
    try:
        value = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != _LENGTHS[name]:
        raise Invalid(f"{name} must be {_LENGTHS[name]} bytes in base64, not {text!r}", field=name, behaviour="INT-02")
    return value


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode()
