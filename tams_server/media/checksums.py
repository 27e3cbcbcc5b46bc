"""Checksums that a client sends with an upload, so that bytes damaged on the way are refused (INT-01, INT-02)."""

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
    """The checksums given in `headers` (by lower-case name): Content-MD5, x-amz-checksum-sha256, -sha1 and -crc32.

    Headers of other algorithms are ignored. Raises storage.errors.Invalid for a value that is not base64 of the
    algorithm's length.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._wanted = {name: _decoded(name, headers[name]) for name in _LENGTHS if name in headers}
        self._hashes = {name: make() for name, make in _HASHES.items() if name in self._wanted}

    def update(self, data: bytes) -> None:
        """Take in the next bytes."""
        for running in self._hashes.values():
            running.update(data)

    def verify(self, md5: str) -> None:
        """Raises storage.errors.Invalid unless every checksum given is that of the bytes, whose MD5 (hex) is `md5`."""
        found = {_MD5: bytes.fromhex(md5)} | {name: running.digest() for name, running in self._hashes.items()}
        for name, wanted in self._wanted.items():
            if found[name] != wanted:
                raise Invalid(
                    f"{name} is {_encoded(wanted)}, and that of the bytes received is {_encoded(found[name])}; "
                    "nothing was stored",
                    field=name,
                    behaviour="INT-02",
                )


def _decoded(name: str, text: str) -> bytes:
    try:
        value = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != _LENGTHS[name]:
        raise Invalid(
            f"{name} is {text!r}; it must be {_LENGTHS[name]} bytes in base64", field=name, behaviour="INT-02"
        )
    return value


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()
