"""Checksums that servers tell, in the forms of several stores."""

import base64
import hashlib
import zlib

import pytest

from tams_server.client.checksums import Digest, Told, told

MEDIA = b"some media"


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def digest_of(media: bytes, source: Told) -> Digest:
    digest = Digest(*source.digests)
    digest.update(media[:3])
    digest.update(media[3:])
    return digest


MD5, SHA = hashlib.md5(MEDIA).digest(), hashlib.sha256(MEDIA).digest()
HEADERS = [
    {"content-md5": encoded(MD5)},
    {"repr-digest": f"unknown=:AAAA:, sha-256=:{encoded(SHA)}:"},
    {"content-digest": f"md5=:{encoded(MD5)}:"},
    {"x-amz-checksum-sha256": encoded(SHA)},
    {"x-amz-checksum-sha1": encoded(hashlib.sha1(MEDIA).digest())},
    {"x-amz-checksum-crc32": encoded(zlib.crc32(MEDIA).to_bytes(4, "big"))},
    {"x-goog-hash": f"crc32c=AAAAAA==,md5={encoded(MD5)}"},
]


@pytest.mark.parametrize("headers", HEADERS, ids=lambda headers: next(iter(headers)))
def test_checksums_of_any_form_prove_equal_bytes_and_find_others(headers: dict[str, str]) -> None:
    source = told(headers)
    assert digest_of(MEDIA, source).is_proven_by(source)
    other = digest_of(b"same media", source)
    assert not other.is_proven_by(source)
    assert other.difference(source) is not None


def test_an_etag_proves_equal_bytes_but_finds_no_others() -> None:
    source = told({"etag": f'"{MD5.hex()}"'})
    assert digest_of(MEDIA, source).is_proven_by(source)
    other = digest_of(b"same media", source)
    assert not other.is_proven_by(source)
    assert other.difference(source) is None, "an encrypted object has another ETag of this form"


def test_the_size_is_compared() -> None:
    assert digest_of(MEDIA, Told()).difference(told({"content-length": "11"})) == "10 bytes instead of 11"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-checksum-sha256": "abc=-3"},
        {"etag": 'W/"0123"'},
        {"etag": f'"{MD5.hex()}-2"'},
        {"content-md5": "?"},
        {"repr-digest": "sha-256=:AAAA:"},
    ],
)
def test_what_cannot_be_read_says_nothing(headers: dict[str, str]) -> None:
    assert told(headers) == Told()
