"""Checksums that a client sends with an upload, so that bytes damaged in transit are rejected (INT-01, INT-02).

Their headers are those of S3, and Content-Digest and Repr-Digest (RFC 9530), which mean the same for a whole object.
"""

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from storage.errors import Invalid
from tams_server import error_codes


class _Hash(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_HASHES: dict[str, Callable[[], _Hash]] = {
    "sha-512": hashlib.sha512,
    "sha-256": hashlib.sha256,
    "sha": lambda: hashlib.sha1(usedforsecurity=False),
    "crc32": _Crc32,
    "md5": lambda: hashlib.md5(usedforsecurity=False),
}
"""The algorithms, with the names of RFC 9530 and S3; the best first."""
_LENGTHS = {"sha-512": 64, "sha-256": 32, "sha": 20, "crc32": 4, "md5": 16}
_SINGLE = {
    "content-md5": "md5",
    "x-amz-checksum-sha256": "sha-256",
    "x-amz-checksum-sha1": "sha",
    "x-amz-checksum-crc32": "crc32",
}
"""Headers with the value for one algorithm."""
_DIGESTS = ("content-digest", "repr-digest")
_DIGEST_ITEM = re.compile(r"[ \t]*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):[ \t]*")


@dataclass(frozen=True, slots=True)
class _Expected:
    header: str
    algorithm: str
    value: bytes


class Checksums:
    """The checksums in the headers of an upload: Content-MD5, x-amz-checksum-sha256, -sha1 and -crc32, Content-Digest
    and Repr-Digest.

    Headers and digests of other algorithms are ignored.
    """

    def __init__(self, headers: Mapping[str, str], *, with_md5: bool = False) -> None:
        """headers: by lower-case name. with_md5: whether to compute the MD5 here, as `verify` is not told it.

        Raises storage.errors.Invalid for a value that is not valid base64.
        """
        self._expected = list(_expected(headers))
        wanted = {each.algorithm for each in self._expected} - (set() if with_md5 else {"md5"})
        self._hashes = {name: make() for name, make in _HASHES.items() if name in wanted}

    def update(self, data: bytes | memoryview) -> None:
        """Add the next bytes of the upload."""
        for hash_ in self._hashes.values():
            hash_.update(data)

    def verify(self, md5: str = "") -> str | None:
        """Compare the checksums with the uploaded bytes. Returns the best of them, as `sha-256=:...:`, if there is any.

        md5: of the bytes, in hexadecimal, unless it is computed here.
        Raises storage.errors.Invalid if a checksum does not match.
        """
        actual = {"md5": bytes.fromhex(md5)} | {name: hash_.digest() for name, hash_ in self._hashes.items()}
        for each in self._expected:
            if actual[each.algorithm] != each.value:
                raise Invalid(
                    f"{each.header} {_encode(each.value)} does not match the bytes received"
                    f" ({_encode(actual[each.algorithm])}); nothing was stored",
                    code=error_codes.UPLOAD_CHECKSUM,
                    field=each.header,
                    behaviour="INT-02",
                )
        verified = {each.algorithm for each in self._expected}
        best = next((name for name in _HASHES if name in verified), None)
        return f"{best}=:{_encode(actual[best])}:" if best else None


def _expected(headers: Mapping[str, str]) -> Iterator[_Expected]:
    for header, algorithm in _SINGLE.items():
        if header in headers:
            yield _Expected(header, algorithm, _decode(header, algorithm, headers[header]))
    for header in _DIGESTS:
        for item in headers.get(header, "").split(",") if header in headers else ():
            found = _DIGEST_ITEM.fullmatch(item)
            if not found:
                raise Invalid(
                    f"{header} must be a list such as sha-256=:...:, not {headers[header]!r}",
                    code=error_codes.UPLOAD_HEADERS,
                    field=header,
                    behaviour="INT-02",
                )
            if found[1] in _LENGTHS:
                yield _Expected(header, found[1], _decode(header, found[1], found[2]))


def _decode(header: str, algorithm: str, text: str) -> bytes:
    try:
        value = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        value = b""
    length = _LENGTHS[algorithm]
    if len(value) != length:
        raise Invalid(
            f"{header} must be {length} bytes in base64, not {text!r}",
            code=error_codes.UPLOAD_HEADERS,
            field=header,
            behaviour="INT-02",
        )
    return value


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode()
